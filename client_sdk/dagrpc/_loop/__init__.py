"""The event loop of a process on which all of gRPC runs, and coroutines that need no task of it."""
