-- A restored database knows nothing yet of how much is in its tables.
ANALYZE
