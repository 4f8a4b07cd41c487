"""The HTTP ports of schedulers and workers: listening, access, routes and pages."""
