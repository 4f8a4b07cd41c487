"""dagrpc's own serializers, which turn objects of some types into header and frames without copying their bytes.

Most of them are for users of `serialize` and of ``Client(serializers=["dask", ...])``, since pickle also handles their
types. The serializers with `beyond_pickle` are for types that pickle rejects: memory views, and handles of HDF5 and
NetCDF files, which are encoded as the name of the file.
"""

from __future__ import annotations

import pickle
from array import array
from typing import Any

from dagrpc._codec import pickle5
from dagrpc._codec.compact_arrays import without_repetition
from dagrpc._codec.serializers import Header, dask_deserialize, dask_serialize, register_serialization_lazy


def _beyond_pickle(function: Any) -> Any:
    function.beyond_pickle = True
    return function


def _joined(frames: list[Any]) -> Any:
    return frames[0] if len(frames) == 1 else b"".join(frames)


# --- of Python ---------------------------------------------------------------------------------------------------


def _dump_bytes(value: Any) -> tuple[Header, list[Any]]:
    if type(value) not in (bytes, bytearray):
        raise NotImplementedError(type(value))
    return {}, [value]


def _load_bytes(header: Header, frames: list[Any]) -> bytes:
    return bytes(_joined(frames))


def _load_bytearray(header: Header, frames: list[Any]) -> bytearray:
    return bytearray(_joined(frames))


@_beyond_pickle
def _dump_memoryview(value: memoryview) -> tuple[Header, list[Any]]:
    if value.format == "O":
        raise ValueError("A memoryview of Python objects cannot be sent")
    whole = value if value.c_contiguous else memoryview(value.tobytes())
    header = {"format": value.format, "shape": value.shape, "readonly": value.readonly}
    return header, [whole.cast("B") if whole.nbytes else b""]


def _load_memoryview(header: Header, frames: list[Any]) -> memoryview:
    view: Any = memoryview(_joined(frames)).cast("B")
    if view.readonly and not header["readonly"]:
        view = memoryview(bytearray(view))
    # Nothing has one shape only.
    view = view.cast(header["format"], header["shape"]) if view.nbytes else view.cast(header["format"])
    made: memoryview = view.toreadonly() if header["readonly"] else view
    return made


def _dump_array(value: Any) -> tuple[Header, list[Any]]:
    if type(value) is not array:
        raise NotImplementedError(type(value))
    return {"typecode": value.typecode}, [memoryview(value).cast("B") if len(value) else b""]


def _load_array(header: Header, frames: list[Any]) -> Any:
    made = array(header["typecode"])
    made.frombytes(_joined(frames))
    return made


for _kind, _dump, _load in (
    (bytes, _dump_bytes, _load_bytes),
    (bytearray, _dump_bytes, _load_bytearray),
    (memoryview, _dump_memoryview, _load_memoryview),
    (array, _dump_array, _load_array),
):
    dask_serialize.register(_kind, _dump)
    dask_deserialize.register(_kind, _load)


# --- NumPy -------------------------------------------------------------------------------------------------------


def _dump_ndarray(value: Any) -> tuple[Header, list[Any]]:
    import numpy

    if type(value) is not numpy.ndarray:
        raise NotImplementedError(type(value))
    dtype = value.dtype
    if dtype.hasobject or dtype.itemsize == 0 or dtype.kind == "T":
        frames = pickle5.dumps(value)
        return {"pickle": True}, list(frames)
    described: tuple[int, Any] = (0, dtype.str)
    if dtype.fields is not None or dtype.metadata or numpy.dtype(dtype.str) != dtype:
        described = (1, pickle5.dumps_inband(dtype))
    once = without_repetition(value)
    if not once.flags.forc:
        once = numpy.ascontiguousarray(once)
    strides = tuple(
        0 if short != length else stride
        for short, length, stride in zip(once.shape, value.shape, once.strides, strict=True)
    )
    header = {
        "dtype": described,
        "shape": value.shape,
        "strides": strides,
        "writeable": [bool(value.flags.writeable)],
    }
    return header, [once.ravel(order="K").view("u1").data if once.nbytes else b""]


def _load_ndarray(header: Header, frames: list[Any]) -> Any:
    import numpy

    if header.get("pickle"):
        return pickle5.loads(frames)
    coded, described = header["dtype"]
    dtype = pickle.loads(described) if coded else numpy.dtype(described)
    shape = tuple(header["shape"])
    if 0 in shape:
        made = numpy.empty(shape, dtype)
    else:
        frame = memoryview(_joined(frames))
        if frame.readonly and header["writeable"][0]:
            frame = memoryview(bytearray(frame))
        made = numpy.ndarray(shape, dtype, buffer=frame, strides=tuple(header["strides"]))
    if not header["writeable"][0]:
        made.flags.writeable = False
    return made


def _dump_pickled(value: Any) -> tuple[Header, list[Any]]:
    frames = pickle5.dumps(value)
    return {}, list(frames)


def _load_pickled(header: Header, frames: list[Any]) -> Any:
    return pickle5.loads(frames)


def _register_numpy() -> None:
    import numpy

    dask_serialize.register(numpy.ndarray, _dump_ndarray)
    dask_deserialize.register(numpy.ndarray, _load_ndarray)
    dask_serialize.register(numpy.ma.core.MaskedArray, _dump_pickled)
    dask_deserialize.register(numpy.ma.core.MaskedArray, _load_pickled)


# --- SciPy, Arrow: arrays and buffers, which pickle keeps out of band --------------------------------------------


def _register_scipy() -> None:
    import scipy.sparse

    dask_serialize.register(scipy.sparse.spmatrix, _dump_pickled)
    dask_deserialize.register(scipy.sparse.spmatrix, _load_pickled)
    dask_serialize.register(scipy.sparse.sparray, _dump_pickled)
    dask_deserialize.register(scipy.sparse.sparray, _load_pickled)


def _dump_batch(value: Any) -> tuple[Header, list[Any]]:
    import pyarrow

    sink = pyarrow.BufferOutputStream()
    with pyarrow.RecordBatchStreamWriter(sink, value.schema) as writer:
        writer.write(value)
    return {}, [sink.getvalue()]


def _load_batch(header: Header, frames: list[Any]) -> Any:
    import pyarrow

    return pyarrow.RecordBatchStreamReader(pyarrow.py_buffer(_joined(frames))).read_next_batch()


def _load_table(header: Header, frames: list[Any]) -> Any:
    import pyarrow

    return pyarrow.RecordBatchStreamReader(pyarrow.py_buffer(_joined(frames))).read_all()


def _register_arrow() -> None:
    import pyarrow

    dask_serialize.register(pyarrow.RecordBatch, _dump_batch)
    dask_deserialize.register(pyarrow.RecordBatch, _load_batch)
    dask_serialize.register(pyarrow.Table, _dump_batch)
    dask_deserialize.register(pyarrow.Table, _load_table)


# --- handles of files --------------------------------------------------------------------------------------------


@_beyond_pickle
def _dump_h5py_file(value: Any) -> tuple[Header, list[Any]]:
    if value.mode != "r":
        raise ValueError(f"An HDF5 file can be sent only if it is open for reading, not in mode {value.mode!r}")
    return {"filename": value.filename, "mode": value.mode}, []


def _load_h5py_file(header: Header, frames: list[Any]) -> Any:
    import h5py

    return h5py.File(header["filename"], mode=header["mode"])


@_beyond_pickle
def _dump_h5py_node(value: Any) -> tuple[Header, list[Any]]:
    header, _ = _dump_h5py_file(value.file)
    return {**header, "name": value.name}, []


def _load_h5py_node(header: Header, frames: list[Any]) -> Any:
    return _load_h5py_file(header, [])[header["name"]]


def _register_h5py() -> None:
    import h5py

    dask_serialize.register((h5py.Group, h5py.Dataset), _dump_h5py_node)
    dask_deserialize.register((h5py.Group, h5py.Dataset), _load_h5py_node)
    dask_serialize.register(h5py.File, _dump_h5py_file)
    dask_deserialize.register(h5py.File, _load_h5py_file)


@_beyond_pickle
def _dump_netcdf_file(value: Any) -> tuple[Header, list[Any]]:
    return {"filename": value.filepath()}, []


def _load_netcdf_file(header: Header, frames: list[Any]) -> Any:
    import netCDF4

    return netCDF4.Dataset(header["filename"], mode="r")


@_beyond_pickle
def _dump_netcdf_node(value: Any) -> tuple[Header, list[Any]]:
    path, node = [value.name], value.group()
    while node.parent is not None:
        path.insert(0, node.name)
        node = node.parent
    return {"filename": node.filepath(), "path": path}, []


def _load_netcdf_node(header: Header, frames: list[Any]) -> Any:
    return _load_netcdf_file(header, [])["/".join(header["path"])]


def _register_netcdf() -> None:
    import netCDF4

    dask_serialize.register(netCDF4.Dataset, _dump_netcdf_file)
    dask_deserialize.register(netCDF4.Dataset, _load_netcdf_file)
    dask_serialize.register(netCDF4.Variable, _dump_netcdf_node)
    dask_deserialize.register(netCDF4.Variable, _load_netcdf_node)


for _package, _register in {
    "numpy": _register_numpy,
    "scipy": _register_scipy,
    "pyarrow": _register_arrow,
    "h5py": _register_h5py,
    "netCDF4": _register_netcdf,
}.items():
    register_serialization_lazy(_package, _register)
