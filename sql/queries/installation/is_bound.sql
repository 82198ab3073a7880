SELECT EXISTS (SELECT FROM master_key_checks)
