"""How a worker runs tasks: pools of threads, and what a thread does with a task."""
