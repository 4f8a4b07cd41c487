"""Transfers of data between two processes, over gRPC streams or within one host."""
