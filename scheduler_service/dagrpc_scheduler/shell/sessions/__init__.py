"""The sessions of clients and workers: messages in and out, backpressure, eviction."""
