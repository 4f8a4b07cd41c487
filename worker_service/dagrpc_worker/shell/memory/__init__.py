"""Watches the memory of the worker's process."""
