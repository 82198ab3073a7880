SELECT profile_of($1)
