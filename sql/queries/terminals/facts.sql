SELECT * FROM terminal_facts($1)
