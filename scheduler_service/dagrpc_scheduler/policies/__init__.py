"""Where tasks run and when: decisions that read the scheduler's state and change nothing in it."""
