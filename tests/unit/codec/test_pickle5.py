"""Values as frames: what pickle takes, what it does not, and what types travel by that users registered."""

import pickle
import subprocess
import sys
from array import array
from collections.abc import Iterator
from typing import Any

import h5py
import netCDF4
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sparse

from dagrpc._codec import payload, pickle5
from dagrpc.protocol import dask_deserialize, dask_serialize, register_generic


def travel(value: Any) -> Any:
    encoding, frames = payload.encode(value)
    # As they arrive: in memory of their own that can be written to.
    return payload.decode(encoding, [bytearray(frame) if index else frame for index, frame in enumerate(frames)])


READ_ONLY = np.arange(1_000)
READ_ONLY.flags.writeable = False
STRUCTURED = np.array([(1, 2.5, "a")], dtype=[("number", "i4"), ("real", "f8"), ("text", "U3")])
ARRAYS = {
    "integers": np.arange(10_000),
    "small": np.arange(3),
    "fortran": np.asfortranarray(np.arange(6_000.0).reshape(60, 100)),
    "gaps": np.arange(10_000).reshape(100, 100)[::2, ::3],
    "backwards": np.arange(5_000)[::-1],
    "transposed": np.arange(24_000).reshape(20, 30, 40).transpose(2, 0, 1),
    "repeated": np.broadcast_to(np.arange(1_000), (500, 1_000)),
    "one value": np.broadcast_to(np.float64(3.5), (200, 300)),
    "read-only": READ_ONLY,
    "empty": np.zeros((0, 3)),
    "empty gaps": np.zeros((4, 0, 3))[::2],
    "no axes": np.array(5),
    "objects": np.array([1, "a", None, {"b": 2}], dtype=object),
    "object gaps": np.array([[1, "a"], [None, 2]], dtype=object)[:, ::-1],
    "structured": STRUCTURED,
    "times": np.array(["2020-01-01", "NaT"], dtype="M8[ns]"),
    "durations": np.array([1, 2], dtype="m8[ms]"),
    "texts": np.array(["ab", "c"]),
    "bytes": np.array([b"ab", b"c"]),
    "nothing": np.array([b"", b""], dtype="S0"),
    "complex": np.array([1 + 2j]),
    "half": np.array([0.5], dtype="f2"),
    "booleans": np.array([True, False]),
    "big-endian": np.arange(5, dtype=">i4"),
    "variable texts": np.array(["a", "long " * 50], dtype=np.dtypes.StringDType()),
    "masked": np.ma.masked_array([1, 2, 3], [False, True, False]),
    "records": np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_all_kinds_arrive_as_they_were(name: str) -> None:
    sent = ARRAYS[name]
    got = travel(sent)
    assert type(got) is type(sent)
    assert got.dtype == sent.dtype
    assert got.shape == sent.shape
    np.testing.assert_array_equal(got, sent)
    assert got.flags.writeable is sent.flags.writeable


def test_the_memory_of_arrays_is_not_copied() -> None:
    sent = np.arange(100_000)
    _, frames = payload.encode(sent)
    assert len(frames) == 2
    assert np.shares_memory(np.frombuffer(frames[1], dtype=sent.dtype), sent)


def test_repeated_memory_of_an_array_is_sent_once() -> None:
    _, frames = payload.encode(np.broadcast_to(np.ones(1_000), (100_000, 1_000)))
    assert sum(memoryview(frame).nbytes for frame in frames) < 10_000


def test_large_bytes_are_not_copied_into_a_pickle() -> None:
    sent = b"x" * 1_000_000
    encoding, frames = payload.encode(sent)
    assert (encoding, frames) == ("raw", [sent])
    assert frames[0] is sent
    assert payload.decode(encoding, [bytearray(sent)]) == sent


@pytest.mark.parametrize(
    "view",
    [
        memoryview(b"abc"),
        memoryview(bytearray(b"abc")),
        memoryview(b"abcdef")[::2],
        memoryview(array("d", [1.0, 2.0])),
        np.arange(6).reshape(2, 3).data,
        memoryview(b""),
    ],
)
def test_memory_views_arrive_though_pickle_cannot_take_them(view: memoryview) -> None:
    got = travel([view])[0]
    assert got == view
    assert (got.format, got.readonly) == (view.format, view.readonly)


def test_lambdas_closures_and_local_classes_arrive() -> None:
    offset = 10

    class Local:
        def __init__(self, value: int) -> None:
            self.value = value

    add, made = travel((lambda value: value + offset, Local(5)))
    assert add(made.value) == 15


class Human:
    """A class of a user whose instances cannot be pickled."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> Any:
        raise TypeError("this one cannot be pickled")


class Child(Human):
    """A registered class's subclass."""


class Model:
    """Consists of its attributes."""

    def __init__(self) -> None:
        self.weights = np.arange(100_000)
        self.name = "model"


@pytest.fixture
def registered() -> Iterator[list[str]]:
    """Human and Model are registered; which humans were sent."""
    sent: list[str] = []

    @dask_serialize.register(Human)
    def dump(human: Human) -> tuple[dict[str, Any], list[Any]]:
        sent.append(human.name)
        return {"kind": type(human).__name__}, [human.name.encode()]

    @dask_deserialize.register(Human)
    def load(header: dict[str, Any], frames: list[Any]) -> Human:
        kind = Child if header["kind"] == "Child" else Human
        return kind(bytes(frames[0]).decode())

    register_generic(Model)
    yield sent
    for kind in (Human, Model):
        del dask_serialize._lookup[kind], dask_deserialize._lookup[kind]
    pickle5.reduce_registered = None


def test_registered_types_travel_wherever_they_are(registered: list[str]) -> None:
    got = travel({"all": [Human("Alice"), (Child("Bob"), lambda: Human("Carol"))]})
    first, (second, function) = got["all"]
    assert (first.name, type(second), second.name) == ("Alice", Child, "Bob")
    assert function().name == "Carol"
    assert set(registered) == {"Alice", "Bob"}


def test_arrays_in_registered_types_are_not_copied(registered: list[str]) -> None:
    model = Model()
    encoding, frames = payload.encode([model])
    assert any(memoryview(frame).nbytes == model.weights.nbytes for frame in frames[1:])
    assert np.shares_memory(np.frombuffer(frames[1], dtype="i8"), model.weights)
    got = payload.decode(encoding, frames)[0]
    assert got.name == "model"
    np.testing.assert_array_equal(got.weights, model.weights)


def test_plain_values_are_pickled_as_ever_beside_registered_types(registered: list[str]) -> None:
    assert travel([1, {"a": (2, 3.5)}, np.arange(5)])[1] == {"a": (2, 3.5)}
    assert pickle.loads(pickle5.dumps_inband([1, "a"])) == [1, "a"]


def test_a_type_of_main_can_be_read_and_sent_back_by_who_did_not_register_it() -> None:
    program = """
import subprocess, sys
from dagrpc._codec import pickle5
from dagrpc.protocol import dask_serialize, dask_deserialize
class Secret:
    def __init__(self, value): self.value = value
    def __reduce__(self): raise TypeError("not by pickle")
@dask_serialize.register(Secret)
def _(secret): return {}, [str(secret.value).encode()]
@dask_deserialize.register(Secret)
def _(header, frames): return Secret(int(bytes(frames[0])))
other = '''
import sys, pickle
from dagrpc._codec import pickle5
value = pickle.loads(sys.stdin.buffer.read())
value[0].value += 1
sys.stdout.buffer.write(pickle5.dumps_inband(value))
'''
sent = pickle5.dumps_inband([Secret(41)])
back = subprocess.run([sys.executable, "-c", other], input=sent, capture_output=True)
assert not back.returncode, back.stderr.decode()
import pickle
print(pickle.loads(back.stdout)[0].value)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "42", done.stderr


def test_handles_of_hdf5_files_travel_by_name(tmp_path: Any) -> None:
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        file["group/numbers"] = np.arange(10)
        with pytest.raises(ValueError, match="open for reading"):
            pickle5.dumps(file)
    with h5py.File(path, "r") as file:
        whole, group, numbers = travel([file, file["group"], file["group/numbers"]])
    assert list(whole) == ["group"]
    assert list(group) == ["numbers"]
    assert numbers[3] == 3
    whole.close()


def test_handles_of_netcdf_files_travel_by_name(tmp_path: Any) -> None:
    path = tmp_path / "data.nc"
    with netCDF4.Dataset(path, "w") as file:
        group = file.createGroup("inner")
        group.createDimension("x", 3)
        group.createVariable("numbers", "i4", ("x",))[:] = [1, 2, 3]
    with netCDF4.Dataset(path, "r") as file:
        whole, numbers = travel([file, file["inner"]["numbers"]])
    assert list(whole.groups) == ["inner"]
    assert numbers[:].tolist() == [1, 2, 3]


def test_sparse_frames_and_tables_arrive_without_a_copy() -> None:
    frame = pd.DataFrame({"a": np.arange(10_000), "b": np.arange(10_000.0)}, index=np.arange(10_000) * 2)
    pd.testing.assert_frame_equal(travel(frame), frame)
    assert len(payload.encode(frame)[1]) > 1
    matrix = sparse.random(300, 300, 0.2, format="csr")
    assert (travel(matrix) != matrix).nnz == 0
    assert len(payload.encode(matrix)[1]) > 1
    table = pa.table({"a": np.arange(10_000)})
    assert travel(table).equals(table)
    assert len(payload.encode(table)[1]) > 1
