-- Its rows came by COPY; nobody else counts a temporary table.
ANALYZE history
