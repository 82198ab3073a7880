SELECT banca_exists($1)
