"""The transitions of tasks: their table, and one module for each target state."""
