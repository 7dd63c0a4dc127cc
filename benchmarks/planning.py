"""How long planning a release takes, beside the npm engine and git-cliff on the very same repositories.

`python -m benchmarks.planning [--runs N] [--json]`. A workspace of 200 npm packages with 100 changesets, and a history
of 10,000 commits of which 100 came after the last tag. Whole commands, start-up included, taken in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.real_parts.node import environment, installed

PACKAGES = 200
CHANGESETS = 100
COMMITS = 10_000
SINCE_TAG = 100
FOLDERS = 50
GIT = shutil.which("git") or "git"


def main() -> None:
    """Print the medians and their ratio to ours."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        figures = measure_all(
            make_workspace(Path(made) / "workspace"), make_history(Path(made) / "history"), options.runs
        )
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for repository, commands in figures.items():
        print(repository)
        ours = next(iter(commands.values()))
        for name, seconds in commands.items():
            print(f"  {name:<46}{seconds * 1000:8.0f} ms{seconds / ours:8.2f} x")


def make_workspace(root: Path) -> Path:
    """200 packages with up to five internal dependencies each, and 100 changesets of two packages each."""
    chance = random.Random(4)
    for at in range(PACKAGES):
        needs = {
            f"@acme/p{other}": "^1.0.0" for other in sorted(chance.sample(range(at), min(at, chance.randint(0, 5))))
        }
        write(root, f"packages/p{at}/package.json", {"name": f"@acme/p{at}", "version": "1.0.0", "dependencies": needs})
    for at in range(CHANGESETS):
        names = chance.sample(range(PACKAGES), 2)
        lines = [f'"@acme/p{name}": {chance.choice(["patch", "patch", "minor"])}' for name in names]
        write(root, f".changeset/c{at:03}.md", "\n".join(["---", *lines, "---", "", f"change {at}", ""]))
    write(root, "package.json", {"name": "root", "private": True, "workspaces": ["packages/*"]})
    write(root, "package-lock.json", {"name": "root", "lockfileVersion": 3, "packages": {}})
    write(root, ".changeset/config.json", {"baseBranch": "main"})
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "chore: begin")
    return root


def make_history(root: Path) -> Path:
    """10,000 conventional commits over 50 folders, in one stream; the last tag lies 100 commits back."""
    root.mkdir(parents=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    stream: list[str] = []
    types = ("feat", "fix", "docs", "chore", "refactor")
    manifest = '{"name": "one", "version": "1.9.0"}\n'
    for at in range(COMMITS):
        message = f"{types[at % 5]}(p{at % FOLDERS}): change {at}\n\nWords about it."
        files = {f"packages/p{at % FOLDERS}/file.txt": f"{at}\n"} | ({"package.json": manifest} if at == 0 else {})
        stream += [f"commit refs/heads/main\nmark :{at + 1}\ncommitter A <a@acme.example> {1_700_000_000 + at} +0000"]
        stream += [f"data {len(message)}\n{message}"]
        stream += [f"M 100644 inline {path}\ndata {len(text)}\n{text}" for path, text in files.items()]
        number = at // 100
        if (at + 1) % 100 == 0 and at + SINCE_TAG < COMMITS:
            name = "v1.9.0" if at + SINCE_TAG + 1 == COMMITS else f"v0.{number}.0"
            stream += [f"tag {name}\nfrom :{at + 1}\ntagger A <a@acme.example> {1_700_000_000 + at} +0000\ndata 1\nx"]
    subprocess.run([GIT, "fast-import", "--quiet"], cwd=root, input="\n".join(stream) + "\n", text=True, check=True)
    git(root, "checkout", "--quiet", "--force", "main")
    return root


def measure_all(workspace: Path, history: Path, runs: int) -> dict[str, dict[str, float]]:
    """Seconds (median of `runs`) per command and repository; ours is the first of each."""
    ours = (sys.executable, "-m", "switchover.cli.main", "plan", "--json", "--repo", ".")
    changesets = installed("changesets") / "node_modules"
    status = {
        f"changeset status ({version})": ("node", str(changesets / folder / "bin.js"), "status", "--output=plan.json")
        for version, folder in (("3.0.3", "changesets-3"), ("2.31.1", "changesets-2"))
    }
    cliff = str(Path(sys.executable).parent / "git-cliff")
    figures = {
        "200 packages, 100 changesets": measure(workspace, {"switchover plan": ours, **status}, runs),
        "10,000 commits, 100 since the tag": measure(
            history,
            {
                "switchover plan": ours,
                "git-cliff --unreleased --bump": (cliff, "--unreleased", "--bump"),
                "git-cliff --bumped-version": (cliff, "--bumped-version"),
                "git log of all, for scale": ("git", "log", "--format=%H %s %b"),
            },
            runs,
        ),
    }
    require_same_plan(workspace)
    return figures


def measure(folder: Path, commands: Mapping[str, tuple[str, ...]], runs: int) -> dict[str, float]:
    """Seconds per command, one after the other so that noise meets all of them."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, cwd=folder, env=dict(environment()))
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def require_same_plan(workspace: Path) -> None:
    """A plan that is fast and another one would be worth nothing."""
    theirs = json.loads((workspace / "plan.json").read_text(encoding="utf-8"))
    command = (sys.executable, "-m", "switchover.cli.main", "plan", "--json", "--repo", str(workspace))
    ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if ours["releases"] != theirs["releases"]:
        msg = "the two plans differ"
        raise AssertionError(msg)


def write(root: Path, path: str, content: str | dict[str, Any]) -> None:
    """A file of the workspace; a dict becomes JSON."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content, indent=2) + "\n", encoding="utf-8")


def git(root: Path, *arguments: str) -> None:
    """Run git with an identity of its own."""
    names = {f"GIT_{role}_{part}": "a@acme.example" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    subprocess.run([GIT, *arguments], cwd=root, check=True, env={**os.environ, **names})


if __name__ == "__main__":
    main()
