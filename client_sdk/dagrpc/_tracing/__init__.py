"""Traces with OpenTelemetry: what clients and services share."""
