-- The least migration that a program must know to run on this database.
SELECT programs_from()
