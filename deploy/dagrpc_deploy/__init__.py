"""Cluster managers of dagrpc."""
