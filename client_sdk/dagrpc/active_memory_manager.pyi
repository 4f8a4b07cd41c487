"""What type checkers know of the names in `active_memory_manager.py`, which are looked up when they are used."""

from dagrpc._client.verbs.memory import AMMClientProxy as AMMClientProxy
from dagrpc_scheduler.shell.memory.active_memory_manager import (
    ActiveMemoryManagerExtension as ActiveMemoryManagerExtension,
)
from dagrpc_scheduler.shell.memory.active_memory_manager import ActiveMemoryManagerPolicy as ActiveMemoryManagerPolicy
from dagrpc_scheduler.shell.memory.active_memory_manager import ReduceReplicas as ReduceReplicas
from dagrpc_scheduler.shell.memory.active_memory_manager import RetireWorker as RetireWorker
from dagrpc_scheduler.shell.memory.active_memory_manager import Suggestion as Suggestion
from dagrpc_scheduler.shell.memory.active_memory_manager import SuggestionGenerator as SuggestionGenerator

__all__: list[str]
