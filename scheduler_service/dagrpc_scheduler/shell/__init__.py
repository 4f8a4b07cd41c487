"""Drives the scheduler's core: sessions, clock, translation. No decisions about tasks are made here."""
