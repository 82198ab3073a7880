SELECT * FROM password_costs()
