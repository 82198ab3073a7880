-- The statement that gives something away. $1 its kind and $2 its name, as owners.sql tells of it, $3 to whom.
SELECT format('ALTER %s %s OWNER TO %I', upper($1::text), $2::text, $3::text)
