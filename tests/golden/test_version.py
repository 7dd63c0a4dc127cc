from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.golden.cases import CASES, OLDER
from tests.golden.oracle import Case, build, play, read_tree

TIME = re.compile(rb"\d{14}")


def trees(case: Case, folder: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The files that the real program and ours leave; snapshots by the time have zeros for it."""
    build(case, folder / "real")
    shutil.copytree(folder / "real", folder / "ours", symlinks=True)
    statuses = play(case, folder / "real", ours=False)
    assert play(case, folder / "ours", ours=True) == statuses == [0] * len(statuses)
    real, ours = (
        {path: TIME.sub(b"0" * 14, text) for path, text in read_tree(folder / side).items()}
        for side in ("real", "ours")
    )
    assert real != {path: TIME.sub(b"0" * 14, text) for path, text in before(case, folder).items()}
    return real, ours


def before(case: Case, folder: Path) -> dict[str, bytes]:
    build(case, folder / "before")
    return read_tree(folder / "before")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_files_are_those_of_changesets_3_byte_by_byte(case: Case, tmp_path: Path) -> None:
    real, ours = trees(case, tmp_path)
    assert ours == real


@pytest.mark.parametrize("case", OLDER, ids=lambda case: case.name)
def test_the_files_are_those_of_changesets_2_and_manifests_keep_their_layout(case: Case, tmp_path: Path) -> None:
    real, ours = trees(case, tmp_path)
    manifests = {path for path in real if path.endswith("package.json")}
    for path in manifests:
        assert json.loads(ours[path]) == json.loads(real[path]), path
    assert {path: text for path, text in ours.items() if path not in manifests} == {
        path: text for path, text in real.items() if path not in manifests
    }
