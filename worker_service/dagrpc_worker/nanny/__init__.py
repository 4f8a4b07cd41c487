"""Nannies: each starts, watches and restarts one worker process. They run no tasks and import no user code."""
