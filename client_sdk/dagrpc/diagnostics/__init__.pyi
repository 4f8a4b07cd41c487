"""What type checkers know of the names in `__init__.py`, which are looked up when they are used."""

from dagrpc.diagnostics.memory_sampler import MemorySampler as MemorySampler
from dagrpc.diagnostics.recording import get_task_metadata as get_task_metadata
from dagrpc.diagnostics.recording import get_task_stream as get_task_stream
from dagrpc.diagnostics.report import performance_report as performance_report
from dagrpc.plugins import SchedulerPlugin as SchedulerPlugin
from dagrpc.progress_bar import progress as progress

__all__: list[str]
