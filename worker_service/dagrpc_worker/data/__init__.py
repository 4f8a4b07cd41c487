"""The results that a worker holds, in memory and on disk."""
