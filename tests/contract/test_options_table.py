"""Each option of a service is declared once, and its command line, its process and its page use the declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click
import pytest
from click.testing import CliRunner

from dagrpc._cli.option_flags import flag_values, flags_of
from dagrpc._process.service_options import (
    Flag,
    converted,
    declared_options,
    option,
    process_fields,
    seconds,
    unpickled,
)
from dagrpc.config import DEFAULTS
from dagrpc_deploy.cli import spec, ssh
from dagrpc_deploy.options import SpecOptions, SSHOptions
from dagrpc_scheduler.cli import scheduler
from dagrpc_scheduler.options import SchedulerOptions
from dagrpc_worker.cli import worker
from dagrpc_worker.options import NannyOptions, WorkerOptions
from tests.contract import options_table


@dataclass
class KitchenOptions:
    """The options of a kitchen."""

    ovens: int = option("Number of ovens.", 1, flag=Flag("--ovens", "How many ovens.", bounds=(1, 9)))
    bake: float | None = option("Seconds to bake.", None, convert=seconds, flag=Flag("--bake", "How long to bake."))
    warm: bool = option("Keep dishes warm.", False, flag=Flag("--warm/--cold", "Keep dishes warm.", default=False))
    cook: object = option("The cook.", None, pickled=True)
    interval: float = option("Seconds between two looks.", setting="adaptive.interval", convert=seconds)
    address: str = option("Address of the kitchen.", "", internal=True)


@click.command()
@flags_of(KitchenOptions)
def kitchen(**given: Any) -> None:
    click.echo(repr(KitchenOptions(**flag_values(KitchenOptions, given))))


def test_the_page_is_fresh() -> None:
    told = options_table.PAGE.read_text(encoding="utf-8")
    assert told == options_table.page(), "run `python -m tests.contract.options_table`"


@pytest.mark.parametrize("options", [SchedulerOptions, WorkerOptions, NannyOptions])
def test_settings_of_options_exist(options: type) -> None:
    settings = [each.setting for each in declared_options(options).values() if each.setting]
    assert settings
    assert set(settings) <= set(DEFAULTS)


@pytest.mark.parametrize(
    ("options", "command"),
    [
        (SchedulerOptions, scheduler),
        (WorkerOptions, worker),
        (NannyOptions, worker),
        (SpecOptions, spec),
        (SSHOptions, ssh),
    ],
)
def test_flags_of_options_are_flags_of_the_command(options: type, command: click.Command) -> None:
    flags = [each.flag.name for each in declared_options(options).values() if each.flag]
    shown = CliRunner().invoke(command, ["--help"]).output
    assert flags
    assert not [flag for flag in flags if flag.partition("/")[0] not in shown]


def test_a_flag_without_a_help_of_its_own_shows_documentation_and_default() -> None:
    shown = " ".join(CliRunner().invoke(ssh, ["--help"]).output.split())
    assert "Port of the scheduler; 0: a free one. [default: 8786]" in shown
    assert "Host of the scheduler; None: the first of the hosts." in shown
    assert "-nohost Accepted" in shown


def test_options_of_ssh_have_the_defaults_of_the_declaration() -> None:
    options = SSHOptions()
    assert options.connect_options() == {"port": 22}
    assert options.worker_options() == {"n_workers": 1, "memory_limit": "auto"}
    trusting = SSHOptions(ssh_known_hosts="none", ssh_username="dask", ssh_private_key="key")
    assert trusting.connect_options() == {
        "port": 22,
        "username": "dask",
        "client_keys": ["key"],
        "known_hosts": None,
    }


def test_a_command_reads_flags_from_the_declaration() -> None:
    run = CliRunner().invoke
    assert "ovens=3, bake=120.0, warm=True" in run(kitchen, ["--ovens", "3", "--bake", "2 minutes", "--warm"]).output
    assert "'soon' is not a duration" in run(kitchen, ["--bake", "soon"]).output
    assert run(kitchen, ["--ovens", "10"]).exit_code == 2
    assert run(kitchen, ["--address", "here"]).exit_code == 2


def test_a_process_gets_plain_values_and_one_pickle() -> None:
    given = {"ovens": 2, "bake": "1 s", "cook": {"name": "Bo"}, "warm": None, "loop": 1}
    told = process_fields(KitchenOptions, given, "A kitchen", {"loop"})
    assert set(told) == {"ovens", "bake", "pickled"}
    assert unpickled(told) == {"ovens": 2, "bake": 1.0, "cook": {"name": "Bo"}}


@pytest.mark.parametrize("name", ["address", "oven"])
def test_a_process_refuses_what_users_do_not_set(name: str) -> None:
    with pytest.raises(TypeError, match=f"A kitchen got unknown arguments: {name}; ask the cook"):
        process_fields(KitchenOptions, {name: "x"}, "A kitchen", (), hint="; ask the cook")


def test_a_setting_is_the_default() -> None:
    assert KitchenOptions().interval == 1.0
    assert converted(KitchenOptions, {"interval": "2 s", "bake": None}) == {"interval": 2.0}
