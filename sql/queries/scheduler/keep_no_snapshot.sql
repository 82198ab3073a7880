-- Asked without parameters it takes the place of the question before, whose snapshot would stay until the next one.
SELECT
