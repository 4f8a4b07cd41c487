"""Creates the service of a worker together with the object that stands for it."""

from __future__ import annotations

from dagrpc._common.server_status import Status
from dagrpc._process.server_classes import load_class
from dagrpc_worker.options import WorkerOptions
from dagrpc_worker.shell.facade.worker import Worker
from dagrpc_worker.shell.service import WorkerService


def make_service(options: WorkerOptions) -> WorkerService:
    """Return a worker's service, whose facade is of the class that the options name.

    Raises
    ------
    ValueError
        If there is no such class, or it is no subclass of `Worker`.
    """
    if options.worker_class is None:
        return WorkerService(options, Worker.of)
    kind = load_class(options.worker_class)
    if not (isinstance(kind, type) and issubclass(kind, Worker)):
        raise ValueError(f"worker_class is {kind!r}; it must be Worker or a subclass of it")
    made = kind(
        options.scheduler_address or None,
        scheduler_file=options.scheduler_file or None,
        host=options.host,
        name=options.name or None,
        nthreads=options.nthreads,
        memory_limit=options.memory_limit,
        resources=options.resources,
        local_directory=options.local_directory or None,
        contact_address=options.contact_address or None,
    )
    made._service.options = options
    # The caller starts the service itself, not the object.
    made._own_status = Status.running
    return made._service
