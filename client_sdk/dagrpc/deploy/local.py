"""`LocalCluster`, and what belongs to it, where users of distributed look for it."""

from dagrpc.deploy import lookup

__getattr__ = lookup(__name__)
