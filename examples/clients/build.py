"""Builds the clients for which the machine has toolchains, and tells which it left out.

``python -m examples.clients.build`` builds all; ``python -m examples.clients.build go`` builds one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

CLIENTS = Path(__file__).parent
ROOT = CLIENTS.parents[1]
PROTOS = ROOT / "protos"
BUILT = ROOT / "build" / "clients"
NEEDED = ("access", "common", "data", "errors", "failure", "graph", "task_service")
"""The files of the contract that calls by name need."""


def run(folder: Path, *command: str, **environment: str) -> None:
    """Run a command in a folder."""
    print("+", *command, flush=True)
    subprocess.run(command, cwd=folder, check=True, env={**os.environ, **environment})


def build_go() -> None:
    """Make the stubs, with the generators that go.mod pins, and the programs."""
    folder = CLIENTS / "go"
    bin_folder = BUILT / "go"
    generators = ("google.golang.org/protobuf/cmd/protoc-gen-go", "google.golang.org/grpc/cmd/protoc-gen-go-grpc")
    run(folder, "go", "build", "-o", f"{bin_folder}/", *generators)
    options = [
        f"--{name}_{option}"
        for name in ("go", "go-grpc")
        for option in (f"out={folder}", "opt=module=dagrpc.dev/go/dagrpc")
    ]
    plugins = [f"--plugin={bin_folder / name}" for name in ("protoc-gen-go", "protoc-gen-go-grpc")]
    files = [f"dagrpc/v1/{name}.proto" for name in NEEDED]
    run(PROTOS, sys.executable, "-m", "grpc_tools.protoc", "-I.", *plugins, *options, *files)
    run(folder, "go", "build", "-o", f"{bin_folder}/", "./cmd/...")


def build_typescript() -> None:
    """Install what the lock file pins, make the types of the contract, and compile."""
    folder = CLIENTS / "typescript"
    run(folder, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
    run(folder, "npm", "run", "build")


def build_java() -> None:
    """Make the stubs, with the generators that pom.xml pins, and compile; dependencies are put into target/lib."""
    run(CLIENTS / "java", "mvn", "--quiet", "--batch-mode", "package")


BUILDERS: dict[str, tuple[str, Callable[[], None]]] = {
    "go": ("go", build_go),
    "typescript": ("npm", build_typescript),
    "java": ("mvn", build_java),
}
"""The program that each language needs, and what builds its client."""


def main(languages: list[str]) -> None:
    """Build the clients of some languages."""
    for language in languages or list(BUILDERS):
        program, build = BUILDERS[language]
        if shutil.which(program) is None:
            print(f"skipped: the client in {language}, because there is no {program} here")
            continue
        build()
        print(f"built: the client in {language}")


if __name__ == "__main__":
    main(sys.argv[1:])
