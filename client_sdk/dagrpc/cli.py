"""The command `dagrpc`: each service's own command, imported when it is called."""

from __future__ import annotations

import importlib
import sys

import click

from dagrpc._common.versions import installed_version

_COMMANDS = {
    "scheduler": ("dagrpc_scheduler.cli", "scheduler"),
    "worker": ("dagrpc_worker.cli", "worker"),
    "spec": ("dagrpc_deploy.cli", "spec"),
    "ssh": ("dagrpc_deploy.cli", "ssh"),
    "health": ("dagrpc._cli.health", "health"),
    "status": ("dagrpc._cli.status_commands", "status"),
    "tasks": ("dagrpc._cli.status_commands", "tasks"),
    "logs": ("dagrpc._cli.status_commands", "logs"),
    "certs": ("dagrpc._cli.certs", "certs"),
    "protos": ("dagrpc._cli.protos", "protos"),
    "top": ("dagrpc._cli.top", "top"),
}


class _LazyGroup(click.Group):
    """A group that imports a command when it is called: a scheduler needs none of the worker's code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(installed_version("dagrpc"), prog_name="dagrpc")
def main() -> None:
    """Run Python task graphs on a cluster of gRPC services."""


if __name__ == "__main__":
    sys.exit(main())
