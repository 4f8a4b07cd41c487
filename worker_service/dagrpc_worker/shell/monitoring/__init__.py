"""Measurements of the worker and its process."""
