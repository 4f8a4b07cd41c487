"""The memory of a process: how much it uses, and how free memory is returned to the system."""
