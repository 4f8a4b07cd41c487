"""Runs the scheduler's core: sessions, timers, translation. It makes no decisions about tasks."""
