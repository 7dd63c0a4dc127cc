"""Releases of the example, cut and run for the tests."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BUMPS = ("major", "minor", "patch")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class RunningShop:
    process: subprocess.Popen[str]
    port: int

    def ask(self, path: str, method: str = "GET", body: str = "") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body or None)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode(), dict(response.getheaders()))
        finally:
            connection.close()


def cut_release(repository: Path) -> str:
    """Bump every package that a changeset names, as far as the tests need it; return the shop's version."""
    bumps: dict[str, int] = {}
    for changeset in (repository / ".changeset").glob("*.md"):
        for name, kind in re.findall(r'^"(.+)": (\w+)$', changeset.read_text(), re.MULTILINE):
            bumps[name] = min(bumps.get(name, 2), BUMPS.index(kind))
        changeset.unlink()
    for path in repository.glob("*/*/package.json"):
        manifest = json.loads(path.read_text())
        if manifest["name"] in bumps:
            manifest["version"] = bump(manifest["version"], bumps[manifest["name"]])
            path.write_text(json.dumps(manifest, indent=2) + "\n")
    identity = ("-c", "user.name=Release", "-c", "user.email=release@acme.example", "-c", "commit.gpgsign=false")
    run_git(repository, *identity, "commit", "--quiet", "--all", "--message", "chore: release")
    return str(json.loads((repository / "services/shop/package.json").read_text())["version"])


def run_git(repository: Path, *arguments: str) -> str:
    git = shutil.which("git")
    assert git is not None
    done = subprocess.run([git, *arguments], cwd=repository, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def bump(version: str, position: int) -> str:
    numbers = [int(part) for part in version.split(".")]
    return ".".join(map(str, [*numbers[:position], numbers[position] + 1, *[0] * (2 - position)]))


def bundle_service(repository: Path, service: str, destination: Path) -> None:
    subprocess.run([sys.executable, "tools/bundle.py", service, str(destination)], cwd=repository, check=True)


def start_service(folder: Path, module: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=folder,
        env={**os.environ, "PORT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def running(folder: Path, module: str = "shop") -> Iterator[RunningShop]:
    """A service that listens on a port that the system chose; ended when the block is left."""
    process = start_service(folder, module)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"listens on \S+:(\d+)$", line.strip())
        assert found, line
        yield RunningShop(process, int(found[1]))
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


def failed_smoke_tests(shop: RunningShop, repository: Path) -> set[str]:
    """Names of the smoke tests of switchover.toml that this shop does not pass."""
    tests = tomllib.loads((repository / "switchover.toml").read_text())["services"]["shop"]["smoke"]
    failed = set()
    for test in tests:
        answer = shop.ask(test["path"], test.get("method", "GET"), test.get("body", ""))
        if answer.status != test.get("expect_status", 200) or test["body_contains"] not in answer.body:
            failed.add(test["name"])
    return failed
