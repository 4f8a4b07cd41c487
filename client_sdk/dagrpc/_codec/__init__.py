"""Encodes values, errors and tasks as bytes, and decodes them. Independent of connections."""
