"""Fetches results from peers."""
