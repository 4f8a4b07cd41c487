"""The files of the contract, as the installed package has them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from google.protobuf import descriptor_pb2

DESCRIPTOR_SET = "descriptors.binpb"
"""A serialized `google.protobuf.FileDescriptorSet`, with comments and with the files that the contract imports."""


@cache
def file_descriptors() -> dict[str, descriptor_pb2.FileDescriptorProto]:
    """Return the descriptors of the contract's files and their imports, by path."""
    data = (files(__package__) / DESCRIPTOR_SET).read_bytes()
    return {file.name: file for file in descriptor_pb2.FileDescriptorSet.FromString(data).file}


def write_contract(directory: Path) -> list[Path]:
    """Write the `.proto` files and the descriptor set below a directory; return the paths that were written."""
    own = files(__package__)
    written = [directory / DESCRIPTOR_SET]
    directory.mkdir(parents=True, exist_ok=True)
    written[0].write_bytes((own / DESCRIPTOR_SET).read_bytes())
    source, target = own / "protos" / "dagrpc" / "v1", directory / "dagrpc" / "v1"
    target.mkdir(parents=True, exist_ok=True)
    for each in sorted(source.iterdir(), key=lambda file: file.name):
        if each.name.endswith(".proto"):
            path = target / each.name
            path.write_bytes(each.read_bytes())
            written.append(path)
    return written
