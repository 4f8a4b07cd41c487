"""The command `dagrpc protos`: writes the contract for generators of clients in other languages."""

from __future__ import annotations

from pathlib import Path

import click

from dagrpc._contract.files import DESCRIPTOR_SET, write_contract


@click.command()
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Directory to write to, made if new."
)
def protos(out: Path) -> None:
    """Write the contract: the .proto files below OUT/dagrpc/v1, and a descriptor set with comments.

    Generate a client with: protoc -I OUT --go_out=. --go-grpc_out=. OUT/dagrpc/v1/*.proto
    """
    written = write_contract(out)
    click.echo(f"{out}: {len(written) - 1} .proto files below dagrpc/v1, and {DESCRIPTOR_SET}")
