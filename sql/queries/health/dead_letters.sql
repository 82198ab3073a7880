SELECT queue, parked FROM dead_letter_counts()
