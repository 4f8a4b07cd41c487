"""What a worker holds."""
