"""Locks, semaphores, events, queues and variables for programs that are spread over a cluster."""
