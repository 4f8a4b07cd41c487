"""The command line: flags that commands share, and the health check."""
