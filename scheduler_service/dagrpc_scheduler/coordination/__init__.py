"""What clients share by name: locks, queues, datasets, metadata, topics. Pure.

Operations go in, answers and events of the core come out.
"""
