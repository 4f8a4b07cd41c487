"""Locks, semaphores, events, queues and variables. Pure: operations in, answers and events of the core out."""
