"""`Scheduler`: the scheduler as an object, for plugins, `run_on_scheduler` and programs that embed a scheduler."""
