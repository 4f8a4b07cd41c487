"""The scheduler's state machine: events in, effects out, and nothing else."""
