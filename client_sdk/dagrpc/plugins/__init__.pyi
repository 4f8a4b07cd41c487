"""What type checkers know of the names in `__init__.py`, which are looked up when they are used."""

from dagrpc.plugins.base import NannyPlugin as NannyPlugin
from dagrpc.plugins.base import SchedulerPlugin as SchedulerPlugin
from dagrpc.plugins.base import WorkerPlugin as WorkerPlugin
from dagrpc.plugins.environ import Environ as Environ
from dagrpc.plugins.forwarding import ForwardLoggingPlugin as ForwardLoggingPlugin
from dagrpc.plugins.forwarding import ForwardOutput as ForwardOutput
from dagrpc.plugins.install_packages import CondaInstall as CondaInstall
from dagrpc.plugins.install_packages import InstallPlugin as InstallPlugin
from dagrpc.plugins.install_packages import PipInstall as PipInstall
from dagrpc.plugins.upload import SchedulerUploadFile as SchedulerUploadFile
from dagrpc.plugins.upload import UploadDirectory as UploadDirectory
from dagrpc.plugins.upload import UploadFile as UploadFile

__all__: list[str]
