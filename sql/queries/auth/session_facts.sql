SELECT * FROM session_facts($1)
