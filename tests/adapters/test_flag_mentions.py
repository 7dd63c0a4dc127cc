"""What one file takes from another stays there, however it takes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchover.adapters.flag_sources import FolderSources

ASKING = """\
from shop import old

def _old():
    return 1

def f():
    if client.is_enabled("x"):
        return new()
    return old(_old())
"""
KEPT = ASKING.replace(
    '    if client.is_enabled("x"):\n        return new()\n    return old(_old())\n', "    return new()\n"
)
GONE = "\ndef f():\n    return new()\n"


def removed(folder: Path, other: str, *, asking: str = "pay.py") -> str:
    (folder / "app").mkdir()
    (folder / "app" / asking).write_text(ASKING)
    (folder / "other.py").write_text(other)
    FolderSources((folder,)).plan_removal("x", value=True, variant="on").apply()
    return (folder / "app" / asking).read_text()


@pytest.mark.parametrize(
    "other",
    [
        "from app.pay import _old, old",
        "from .app.pay import old as a, _old as b",
        "import app.pay\napp.pay.old(app.pay._old)",
        "from app import pay as p\np.old(p._old)",
        "from importlib import import_module\np = import_module('app.pay')\np.old(p._old)",
        "patch('app.pay.old')\npatch('app.pay._old')",
        "from app import pay\npatch.object(pay, 'old')\npatch.object(pay, '_old')",
        "entry = 'app.pay:old', 'app.pay:_old'",
        "from app.pay import old, _old as",
    ],
)
def test_what_another_file_takes_stays(tmp_path: Path, other: str) -> None:
    assert removed(tmp_path, other) == KEPT


@pytest.mark.parametrize(
    "other",
    [
        "from shop import old\nfrom shop import _old",
        "import app.paid\napp.old(app._old)",
        "pay = 'old'",
        "pay = '_old!'",
    ],
)
def test_what_another_file_takes_from_elsewhere_goes(tmp_path: Path, other: str) -> None:
    assert removed(tmp_path, other).lstrip() == GONE.lstrip()


def test_of_everything_only_what_is_private_goes(tmp_path: Path) -> None:
    assert removed(tmp_path, "from app.pay import *") == f"from shop import old\n\n{GONE.lstrip()}"


@pytest.mark.parametrize("other", ["from app import _old", "from .app import _old", "from . import _old"])
def test_what_a_file_takes_from_a_package_stays(tmp_path: Path, other: str) -> None:
    assert removed(tmp_path, other, asking="__init__.py") == KEPT


def test_what_stays_is_named(tmp_path: Path) -> None:
    (tmp_path / "pay.py").write_text(ASKING)
    (tmp_path / "other.py").write_text("from pay import old")
    (file,) = FolderSources((tmp_path,)).plan_removal("x", value=True, variant="on").files
    assert ["another file takes it from here" in each for each in file.remaining] == [True]
