"""`SpecCluster` under distributed's module name."""

from dagrpc.compat import familiar_names
from dagrpc.deploy import lookup

__getattr__ = familiar_names.lookup("deploy.spec", lookup(__name__))
