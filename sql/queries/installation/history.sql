-- Which history of the installation this server tells; sql/functions/history.sql.
SELECT installation_history()
