"""`Cluster`, and what belongs to it, where users of distributed look for it."""

from dagrpc._util import familiar
from dagrpc.deploy import lookup

__getattr__ = familiar.lookup("deploy.cluster", lookup(__name__))
