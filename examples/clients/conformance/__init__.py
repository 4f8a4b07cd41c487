"""A table of cases, with which clients in all languages are compared."""
