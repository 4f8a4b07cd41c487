"""Clients in other languages, and what all of them are tested with."""
