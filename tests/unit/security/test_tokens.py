"""Tokens: where they come from, who shows which, which are accepted."""

import hashlib
import logging
import os
import pickle
from pathlib import Path

import dask
import pytest

from dagrpc import Security
from dagrpc._auth.credentials import credentials_of
from dagrpc._auth.tokens import Accepted, read_tokens

TOKEN = "a-secret-of-this-cluster"
OTHER = "another-secret-of-mine"
DIGEST = "sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest()


def shown(token: str) -> list[tuple[str, str | bytes]]:
    return [("user-agent", "grpc"), ("authorization", f"Bearer {token}")]


def test_accepted_tokens() -> None:
    accepted = Accepted({"": TOKEN, "worker": "sha256:" + hashlib.sha256(OTHER.encode()).hexdigest()})
    assert accepted.roles(shown(TOKEN)) == frozenset()
    assert accepted.roles(shown(OTHER)) == frozenset({b"worker"})
    for metadata in ([], shown(""), shown(TOKEN + "x"), shown(TOKEN[:-1]), [("authorization", TOKEN)]):
        assert accepted.roles(metadata) is None
    assert accepted.roles([("authorization", b"Bearer " + TOKEN.encode())]) is None
    assert accepted.roles(shown(DIGEST)) is None


def test_a_file_with_one_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"# of the cluster\n\n{TOKEN}\n")
    file.chmod(0o600)
    security = Security(token_file=file)
    assert security.tokens == {"": TOKEN}
    for role in ("client", "scheduler", "worker"):
        assert security.token_of(role) == TOKEN


def test_a_file_with_tokens_by_role(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"scheduler: {OTHER}\nclient: {DIGEST.upper().replace('SHA256', 'sha256')}\n")
    file.chmod(0o644)
    with caplog.at_level(logging.WARNING, "dagrpc"):
        security = Security(token_file=str(file))
    assert f"chmod 600 {file}" in caplog.text
    assert OTHER not in caplog.text
    assert security.tokens == {"scheduler": OTHER, "client": DIGEST}
    assert security.token_of("scheduler") == OTHER
    for role in ("client", "worker"):
        with pytest.raises(ValueError, match=f"none that a {role} could show"):
            security.token_of(role)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no token"),
        ("# nothing\n", "no token"),
        ("hush-hush", "line 1 .* shorter than 16"),
        ("nurse: " + TOKEN, "begins with no role"),
        (f"{TOKEN}\n{TOKEN}", "line 2 .* second token"),
        ("sha256:1234", "no digest"),
        ("mötley-crüe-in-concert", "ASCII"),
    ],
)
def test_files_that_hold_something_else(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_tokens(file)
    assert not text or text not in str(caught.value)
    with pytest.raises(OSError, match="nowhere"):
        Security(token_file=tmp_path / "nowhere")


def test_settings_name_tokens(tmp_path: Path) -> None:
    assert Security().tokens == {}
    assert credentials_of(None, "client") is None
    with dask.config.set({"dagrpc.comm.token": TOKEN, "dagrpc.comm.tokens.worker": OTHER}):
        security = Security()
        assert (security.token_of("client"), security.token_of("worker")) == (TOKEN, OTHER)
        # What is given stands for all that is configured.
        assert Security(client_token=OTHER).tokens == {"client": OTHER}
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    with dask.config.set({"distributed.comm.token-file": os.fspath(file)}):
        assert Security().tokens == {"": TOKEN}


def test_tokens_are_not_shown() -> None:
    security = Security(token=TOKEN, worker_token=OTHER)
    credentials = credentials_of(security, "worker")
    assert credentials is not None
    assert credentials.token == OTHER
    for text in (repr(security), security._repr_html_(), repr(credentials), str(vars(credentials.accepted))):
        assert TOKEN not in text
        assert OTHER not in text
    assert "worker_token=<in memory>" in repr(security)
    assert Security(**security.fields()).tokens == security.tokens == pickle.loads(pickle.dumps(security)).tokens
    assert security.without_tls().tokens == security.tokens
    for wrong in ("hush-hush", "has a blank in the middle"):
        with pytest.raises(ValueError, match="token") as caught:
            Security(token=wrong)
        assert wrong not in str(caught.value)
