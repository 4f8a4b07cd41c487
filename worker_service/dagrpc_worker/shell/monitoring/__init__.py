"""What a worker measures of itself and of its process."""
