"""`Cluster` under distributed's module name."""

from dagrpc.compat import familiar_names
from dagrpc.deploy import lookup

__getattr__ = familiar_names.lookup("deploy.cluster", lookup(__name__))
