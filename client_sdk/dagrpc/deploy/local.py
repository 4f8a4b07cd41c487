"""`LocalCluster`, and what belongs to it, where users of distributed look for it."""

from dagrpc.compat import familiar_names
from dagrpc.deploy import lookup

__getattr__ = familiar_names.lookup("deploy.local", lookup(__name__))
