"""Tasks, workers and clients as user code on the scheduler sees them: plugins, policies, `run_on_scheduler`."""
