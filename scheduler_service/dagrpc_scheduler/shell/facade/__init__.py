"""The scheduler as an object, as code sees it that runs on it: plugins, `run_on_scheduler`, programs that embed it."""
