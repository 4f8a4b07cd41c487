"""Named objects that clients share: locks, queues, variables, datasets, metadata and topics, without I/O.

Operations go in; answers and events of the core come out.
"""
