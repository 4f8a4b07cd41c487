"""Leases as clients of the core, and results as their holders read them."""
