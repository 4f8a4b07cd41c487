"""Copies of results, the active memory manager, and the memory of the scheduler itself."""
