"""Sampling of call stacks, for all processes of dagrpc."""
