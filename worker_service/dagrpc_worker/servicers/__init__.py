"""What a worker answers when it is called."""
