"""`AdaptiveCore` under distributed's module name."""

from dagrpc.deploy import lookup

__getattr__ = lookup(__name__)
