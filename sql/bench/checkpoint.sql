-- The segments of WAL that were written till now are there to be used again.
CHECKPOINT
