"""Random workspaces: larger ones than a person would write down, rewritten by the real program and by ours."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.golden.oracle import Case, build, play, read_tree
from tests.golden.parts import COMMIT, EXIT, PRE, RANGES, VERSION, changeset, package, root

SECTIONS = ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies")
PLAIN = [text for text in RANGES if "packages/" not in text]
BUMPS = ("none", "patch", "minor", "major")
STEPS = ((VERSION,), (PRE, VERSION, COMMIT, EXIT, COMMIT, VERSION))


def make(seed: int, major: int) -> Case:
    """Twenty packages, each needing some of those before it; the last four are private and nobody needs them."""
    chance = random.Random(seed)  # noqa: S311 - the same workspaces every time
    names = [f"p{at:02}" if at % 3 else f"@acme/p{at:02}" for at in range(20)]
    files: dict[str, str | dict[str, Any]] = {"package.json": root(dependencies={names[0]: "^1.0.0"})}
    for at, name in enumerate(names):
        lines: dict[str, dict[str, str]] = {}
        for other in chance.sample(names[:at][:16], min(at, chance.randint(0, 4))):
            text = chance.choice(PLAIN).replace("core", other)
            lines.setdefault(chance.choice(SECTIONS), {})[other] = text
        version = f"1.{chance.randint(0, 3)}.{chance.randint(0, 3)}"
        private = {"private": True} if at >= 16 else {}
        files[f"packages/d{at:02}/package.json"] = package(name, version, **private, **lines)
    changesets = {
        f"c{at}": changeset(*[(name, chance.choice(BUMPS)) for name in chance.sample(names[:16], 2)], summary=f"S{at}.")
        for at in range(chance.randint(1, 6))
    }
    config: dict[str, Any] = {"updateInternalDependencies": chance.choice(["patch", "minor"])}
    members = chance.sample(names[:16], 3)
    config |= chance.choice([{}, {"fixed": [members]}, {"linked": [members]}])
    return Case(f"{major}: seed {seed}", files, changesets, config, chance.choice(STEPS), major=major)


@pytest.mark.parametrize(
    ("seed", "major"), [*((seed, 3) for seed in range(12)), *((seed, 2) for seed in (*range(6), 111, 122))]
)
def test_a_random_workspace_is_rewritten_as_the_real_program_does(seed: int, major: int, tmp_path: Path) -> None:
    case = make(seed, major)
    build(case, tmp_path / "real")
    shutil.copytree(tmp_path / "real", tmp_path / "ours", symlinks=True)
    assert (
        play(case, tmp_path / "real", ours=False)
        == play(case, tmp_path / "ours", ours=True)
        == [0] * len([step for step in case.steps if step != COMMIT])
    )
    real, ours = read_tree(tmp_path / "real"), read_tree(tmp_path / "ours")
    if major < 3:
        for tree in (real, ours):
            tree.update({path: _canonical(text) for path, text in tree.items() if path.endswith("package.json")})
    assert ours == real


def _canonical(manifest: bytes) -> bytes:
    return json.dumps(json.loads(manifest)).encode()
