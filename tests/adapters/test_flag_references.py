from __future__ import annotations

from pathlib import Path

import pytest

from switchover.adapters import flag_references
from switchover.adapters.flag_sources import FolderSources
from switchover.errors import InputError, TargetError
from switchover.flags.hygiene import Reference


def write(folder: Path, **files: str) -> FolderSources:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return FolderSources((folder,))


def keys(sources: FolderSources) -> list[str | None]:
    return [each.key for each in sources.find_references().references]


@pytest.mark.parametrize(
    "call",
    [
        "client.is_enabled('x')",
        "client.is_enabled(key='x')",
        "self.flags.is_enabled_detail('x', user)",
        "client.get_value('x', 1)",
        "client.variant('x')",
        "client.percentage('x', 25)",
        "client.with_flag('x', on, off)",
        "openfeature.get_client().get_boolean_value('x', False)",
        "a.get_string_details(flag_key='x', default_value='')",
        "await a.get_object_details_async('x', {})",
        "ldclient.get().variation('x', user, False)",
        "ld.variation_detail('x', user, False)",
    ],
)
def test_every_way_to_ask_is_found(tmp_path: Path, call: str) -> None:
    sources = write(tmp_path, app=f"async def f():\n    {call}\n")
    (found,) = sources.find_references().references
    assert (found.key, found.line, found.sure) == ("x", 2, True)


@pytest.mark.parametrize(
    "call", ["client.track('x', user)", "is_enabled('x')", "client.variant(25)", "shape.variant(x)"]
)
def test_what_asks_for_no_flag_is_not_found(tmp_path: Path, call: str) -> None:
    assert keys(write(tmp_path, app=f"{call}\n")) == []


def test_a_method_of_a_common_name_is_sure_where_a_client_is_asked(tmp_path: Path) -> None:
    call = "config.get_value('port', 1)\nconfig.get_value(name, 1)\n"
    imported = "from switchover.flags import Client"
    sources = write(
        tmp_path, a=call, b=f"{imported}\n{call}", c=f"{imported}\ndef f(config: Client): config.get_value('port', 1)\n"
    )
    a, b, c = (tmp_path / f"{name}.py" for name in "abc")
    assert sources.find_references().references == (
        Reference(str(a), 1, "get_value", "port", "'port'", sure=False),
        Reference(str(b), 2, "get_value", "port", "'port'", sure=False),
        Reference(str(b), 3, "get_value", None, "name", sure=False),
        Reference(str(c), 2, "get_value", "port", "'port'", sure=True),
    )


CONSTANTS = 'from enum import StrEnum\nCHECKOUT = "x"\nclass Flags(StrEnum):\n    BETA = "y"\n'


@pytest.mark.parametrize(
    ("importing", "written", "key"),
    [
        ("from app.names import CHECKOUT", "CHECKOUT", "x"),
        ("from app.names import CHECKOUT as C", "C", "x"),
        ("from .names import CHECKOUT", "CHECKOUT", "x"),
        ("from . import names", "names.CHECKOUT", "x"),
        ("import app.names", "app.names.CHECKOUT", "x"),
        ("import app.names as n", "n.Flags.BETA", "y"),
        ("from app.names import Flags", "Flags.BETA.value", "y"),
        ('CHECKOUT = "x"', "CHECKOUT", "x"),
        ('CHECKOUT: str = "x"', "CHECKOUT", "x"),
        ('CHECKOUT = "x"\nCHECKOUT = "z"', "CHECKOUT", None),
        ('CHECKOUT = "x"\ndef f(CHECKOUT): pass', "CHECKOUT", None),
        ("from elsewhere import CHECKOUT", "CHECKOUT", None),
        ("from ..names import CHECKOUT", "CHECKOUT", None),
        ("", 'f"{a}"', None),
    ],
)
def test_a_constant_is_followed_and_what_is_computed_is_reported(
    tmp_path: Path, importing: str, written: str, key: str | None
) -> None:
    sources = write(tmp_path, app__names=CONSTANTS, app__use=f"{importing}\nclient.is_enabled({written})\n")
    assert keys(sources) == [key]


def test_a_name_that_two_files_may_mean_is_not_followed(tmp_path: Path) -> None:
    sources = write(
        tmp_path, a__names=CONSTANTS, b__names=CONSTANTS, use="from names import CHECKOUT\nclient.is_enabled(CHECKOUT)"
    )
    assert keys(sources) == [None]


def test_files_that_cannot_be_read_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    sources = write(tmp_path, good="client.is_enabled('x')\n", bad="if client.is_enabled('x'\n")
    (tmp_path / "odd.py").write_bytes(b"# coding: utf-8\nclient.is_enabled('\xff')\n")
    (tmp_path / "huge.py").write_bytes(b"#" * (flag_references.MAX_FILE_BYTES + 1))
    (tmp_path / "deep.py").write_text("client.is_enabled(" + "-" * 20_000 + "1)")
    scan = sources.find_references()
    assert keys(sources) == ["x"]
    assert [Path(each.file).name for each in scan.unread] == ["bad.py", "deep.py", "huge.py", "odd.py"]
    assert "line 1" in scan.unread[0].reason


def test_links_hidden_folders_and_what_others_wrote_are_left_out(tmp_path: Path) -> None:
    asks = "client.is_enabled('x')\n"
    sources = write(tmp_path, **{"a__b": asks, ".git__b": asks, "node_modules__b": asks, "env__b": asks})
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (tmp_path / "link.py").symlink_to(tmp_path / "a" / "b.py")
    (tmp_path / "around").symlink_to(tmp_path, target_is_directory=True)
    assert [each.file for each in sources.find_references().references] == [str(tmp_path / "a" / "b.py")]


def test_a_place_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing at"):
        FolderSources((tmp_path / "gone",)).find_references()


def test_a_removal_shows_its_difference_and_writes_only_when_it_is_told_to(tmp_path: Path) -> None:
    sources = write(
        tmp_path, a="if client.is_enabled('x'):\n    new()\nelse:\n    old()", b="client.is_enabled('x', f())\n"
    )
    (tmp_path / "a.py").chmod(0o755)
    plan = sources.plan_removal("x", value=True, variant="on")
    end = "\\ No newline at end of file"
    assert [each.diff.splitlines()[-6:] for each in plan.files if each.diff] == [
        ["-    new()", "-else:", "-    old()", end, "+new()", end]
    ]
    assert ["may do something" in each for file in plan.files for each in file.left] == [True]
    assert "is_enabled" in (tmp_path / "a.py").read_text()
    plan.apply()
    assert (tmp_path / "a.py").read_text().strip() == "new()"
    assert (tmp_path / "a.py").stat().st_mode & 0o777 == 0o755
    assert sources.plan_removal("x", value=True, variant="on").files[0].diff == ""


def test_a_file_that_changed_in_between_is_not_overwritten(tmp_path: Path) -> None:
    sources = write(tmp_path, a="if client.is_enabled('x'): new()\n")
    plan = sources.plan_removal("x", value=True, variant="on")
    (tmp_path / "a.py").write_text("somebody else's\n")
    with pytest.raises(TargetError, match="it changed while it was read"):
        plan.apply()
    assert [each.name for each in tmp_path.iterdir()] == ["a.py"]
    assert (tmp_path / "a.py").read_text() == "somebody else's\n"
