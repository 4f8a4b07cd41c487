"""Measurements that the scheduler keeps: task streams, histories, the profile of its event loop."""
