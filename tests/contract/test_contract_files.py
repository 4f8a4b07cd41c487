"""The contract as files: it generates as it stands, is in the package, and servers tell of it with its comments."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from click.testing import CliRunner
from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2 as reflection

from dagrpc import LocalCluster
from dagrpc.cli import main

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "protos" / "dagrpc" / "v1").glob("*.proto"))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contract as `dagrpc protos` writes it."""
    out = tmp_path_factory.mktemp("contract") / "new"
    outcome = CliRunner().invoke(main, ["protos", "--out", str(out)])
    assert outcome.exit_code == 0, outcome.output
    assert f"{len(FILES)} .proto files" in outcome.output
    return out


def test_the_command_writes_all_files(written: Path) -> None:
    for file in FILES:
        assert (written / "dagrpc" / "v1" / file.name).read_bytes() == file.read_bytes()


def test_the_descriptor_set_has_comments_and_names_of_all_languages(written: Path) -> None:
    files = descriptor_pb2.FileDescriptorSet.FromString((written / "descriptors.binpb").read_bytes()).file
    own = [file for file in files if file.package == "dagrpc.v1"]
    assert {file.name for file in own} == {f"dagrpc/v1/{file.name}" for file in FILES}
    for file in own:
        options = file.options
        assert options.go_package == "dagrpc.dev/go/dagrpc/v1;dagrpcv1"
        assert options.java_package == "dev.dagrpc.v1"
        assert options.java_multiple_files
        assert options.csharp_namespace == "Dagrpc.V1"
        assert options.php_namespace == "Dagrpc\\V1"
        assert options.ruby_package == "Dagrpc::V1"
        assert any(location.leading_comments for location in file.source_code_info.location)


@pytest.mark.parametrize("plugin", ["protoc-gen-go", "protoc-gen-go-grpc"])
def test_go_generates_without_mappings_of_packages(written: Path, tmp_path: Path, plugin: str) -> None:
    path = shutil.which(plugin)
    if path is None:
        pytest.skip(f"there is no {plugin} here")
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", str(written), f"--plugin={path}"]
    command += [f"--{plugin.removeprefix('protoc-gen-')}_out={tmp_path}"]
    subprocess.run([*command, *(f"dagrpc/v1/{file.name}" for file in FILES)], check=True, timeout=60)
    made = [file.name for file in (tmp_path / "dagrpc.dev" / "go" / "dagrpc" / "v1").iterdir()]
    assert any(name.startswith("scheduler_service") for name in made)


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_describes_methods_and_has_comments(version: str) -> None:
    with (
        LocalCluster(n_workers=0, dashboard_address=None) as cluster,
        grpc.insecure_channel(cluster.scheduler_address.removeprefix("tcp://")) as channel,
    ):
        ask = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection.ServerReflectionResponse.FromString,
        )

        def answer(**question: str) -> reflection.ServerReflectionResponse:
            request = reflection.ServerReflectionRequest(**question)
            (response,) = ask(iter([request]), timeout=30)
            assert response.original_request == request
            return response

        names = [each.name for each in answer(list_services="").list_services_response.service]
        assert {"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"} <= set(names)
        for symbol in (
            "dagrpc.v1.SchedulerService",
            "dagrpc.v1.SchedulerService.WhoHas",
            "dagrpc.v1.WhoHasRequest",
            "dagrpc.v1.WhoHasRequest.keys",
        ):
            found = answer(file_containing_symbol=symbol).file_descriptor_response.file_descriptor_proto
            files = [descriptor_pb2.FileDescriptorProto.FromString(data) for data in found]
            assert files[0].name == "dagrpc/v1/scheduler_service.proto"
            assert "Which workers hold which results." in str(files[0].source_code_info)
            # A reader needs no further questions: what the file imports comes with it.
            assert {each for file in files for each in file.dependency} <= {file.name for file in files}
        assert answer(file_containing_symbol="grpc.health.v1.Health").HasField("file_descriptor_response")
        assert answer(file_by_filename="dagrpc/v1/graph.proto").HasField("file_descriptor_response")
        for question in ({"file_containing_symbol": "dagrpc.v1.Nothing"}, {"file_by_filename": "nothing.proto"}):
            assert answer(**question).error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
