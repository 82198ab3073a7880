"""Pages for people: one template, no script, readable on a phone, light or dark as the reader likes it."""
