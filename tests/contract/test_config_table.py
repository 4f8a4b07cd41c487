"""docs/configuration.md lists exactly the settings that the code reads."""

from __future__ import annotations

from collections import Counter

from dagrpc._common.default_settings import DEFAULTS
from tests.contract import config_table

ROOT = config_table.ROOT
# Read by a name that is put together, or through a function that takes the key.
READ_OTHERWISE = ["comm.compression", "logging", "logging-file-config"]
# Of dask, not of dagrpc.
DASKS = ("array.", "dataframe.", "optimization.")


def test_the_page_is_fresh() -> None:
    told = config_table.PAGE.read_text(encoding="utf-8")
    assert told == config_table.page(), "run `python -m tests.contract.config_table`"


def test_each_setting_has_a_line_of_its_own() -> None:
    comments = config_table.comments()
    assert list(comments) == list(DEFAULTS)
    assert [key for key, comment in comments.items() if not comment] == []
    assert [comment for comment, count in Counter(comments.values()).items() if count > 1] == []


def test_settings_that_the_code_reads_are_in_the_table() -> None:
    unknown = {
        key: path for key, path in config_table.keys_read().items() if key not in DEFAULTS and not key.startswith(DASKS)
    }
    assert not unknown, "settings that are read but not in default_settings.DEFAULTS"


def test_settings_of_the_table_are_read() -> None:
    texts = [
        path.read_text(encoding="utf-8")
        for source in config_table.SOURCES
        for path in (ROOT / source).rglob("*.py")
        if path.name != "default_settings.py"
    ]
    read = {*config_table.keys_read(), *READ_OTHERWISE, "nanny.environ", "nanny.pre-spawn-environ"}
    unread = [key for key in DEFAULTS if key not in read and not any(f'"{key}"' in text for text in texts)]
    assert not unread, "settings in default_settings.DEFAULTS that nothing reads"


def test_no_setting_is_said_to_be_missing_that_is_there() -> None:
    assert not set(config_table.NOT_APPLICABLE) & set(DEFAULTS)
    assert set(config_table.NOT_APPLICABLE) <= set(config_table.OF_DISTRIBUTED)
