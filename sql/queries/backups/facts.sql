-- Which database this is, on which server, and how much it holds.
SELECT current_database() AS database, current_setting('server_version') AS server_version,
       pg_database_size(current_database()) AS database_bytes, i.id AS instance, installation_history() AS history
  FROM instance i
