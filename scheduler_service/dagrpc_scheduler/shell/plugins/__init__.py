"""Plugins of schedulers, workers and nannies, and what they are told."""
