"""Plugins of schedulers, workers and nannies, and user code on the scheduler."""
