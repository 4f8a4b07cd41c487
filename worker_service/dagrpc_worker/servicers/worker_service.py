"""WorkerService: binds its methods to the parts that answer them."""

from __future__ import annotations

from typing import Any

from dagrpc_worker.servicers.data_transfers import DataServicer
from dagrpc_worker.servicers.fetch_streams import fetch_data
from dagrpc_worker.servicers.process_control import ControlServicer

RAW_REQUESTS = ("PutData",)
"""Methods that get their messages as bytes: bulk data, which is decoded by hand."""


class WorkerServicer:
    """The methods of WorkerService, by the names of the contract."""

    def __init__(self, data: DataServicer, control: ControlServicer) -> None:
        self.GetData = data.get_data
        self.PutData = data.put_data
        self._data = data
        self.Run = control.run
        self.DescribeFunctions = control.describe_functions
        self.GetStatus = control.get_status

    async def FetchData(self, _: Any, context: Any) -> None:
        """Answer the fetches of a peer until it ends the stream."""
        await fetch_data(self._data, context)
