"""The worker around its core: its session with the scheduler, its transfers, its timers."""
