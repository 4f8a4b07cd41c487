"""Handlers of events, by the sender of the events. A handler changes facts; see `transitions` for the states."""
