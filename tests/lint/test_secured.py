"""Every call that opens a channel or a server names its credentials, or None."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("client_sdk", "scheduler_service", "worker_service", "deploy")
PARAMETERS = {
    "open_channel": 3,
    "wait_ready": 4,
    "ChannelPool": 4,
    "Server": 4,
    "ActorCaller": 6,
    "SchedulerSession": 2,
}
"""Number of arguments by function; the last argument is the credentials."""
INSECURE = ("insecure_channel", "add_insecure_port")


def calls_without(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        too_few = len(node.args) < PARAMETERS.get(name, 0) and all(k.arg != "credentials" for k in node.keywords)
        if too_few or (name in INSECURE and path.name not in ("channels.py", "server.py")):
            found.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}")
    return found


def test_every_channel_and_server_has_credentials_or_none() -> None:
    found = [call for source in SOURCES for path in (ROOT / source).rglob("*.py") for call in calls_without(path)]
    assert not found, "these ignore the security of their process"
