"""The worker's HTTP port: health, metrics, and what the worker is."""
