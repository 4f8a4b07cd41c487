"""`AdaptiveCore` under distributed's module name."""

from dagrpc.compat import familiar_names

__getattr__ = familiar_names.lookup("deploy.adaptive_core")
