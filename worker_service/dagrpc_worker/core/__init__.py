"""The worker's state machine: events in, instructions out, and nothing else."""
