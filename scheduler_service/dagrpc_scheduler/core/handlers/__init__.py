"""What each event does: it puts facts on tasks and peers, and recommends transitions."""
