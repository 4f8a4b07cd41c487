"""The plugins of a worker or of a nanny."""
