"""What every service process needs: its start, its options, its logs, its child processes."""
