"""The worker as an object, as code sees it that runs on it: plugins, tasks, programs that embed it."""
