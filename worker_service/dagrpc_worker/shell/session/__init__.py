"""The worker's session with its scheduler: messages in and out, heartbeats, reconnection."""
