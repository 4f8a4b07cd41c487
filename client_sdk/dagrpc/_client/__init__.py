"""The client, one idea a file: what it knows, what it sends, what it fetches."""
