"""The handlers of events: they record facts on tasks and peers, and recommend transitions."""
