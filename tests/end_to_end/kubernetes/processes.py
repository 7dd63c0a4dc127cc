"""Processes of ours beside a shop: deployers, the watchdog, the command line."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tests.end_to_end.kubernetes.doomed import Point
from tests.end_to_end.kubernetes.project import ENVIRONMENT, Shop

_PROJECT = Path(__file__).resolve().parents[3]
_DEPLOY_SECONDS = 120.0
_END_SECONDS = 20.0


def environ_of(shop: Shop) -> dict[str, str]:
    """The environment of a deployer's process: ours, with no account but the one of its configuration."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "PREFECT_", "PYTEST_"))}
    return own | shop.environ | {"PYTHONPATH": str(_PROJECT)}


def start_deployer(shop: Shop, version: str, point: Point | None = None) -> subprocess.Popen[str]:
    """A process that deploys this version, and ends itself at `point`."""
    words = json.dumps(asdict(point) if point else None)
    return _start(shop, "-m", "tests.end_to_end.kubernetes.doomed", str(shop.root), version, words)


def run_deployer(shop: Shop, version: str, point: Point | None = None) -> subprocess.CompletedProcess[str]:
    """The same, to its end."""
    process = start_deployer(shop, version, point)
    said, complained = process.communicate(timeout=_DEPLOY_SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, said, complained)


@contextlib.contextmanager
def watchdog(shop: Shop) -> Iterator[subprocess.Popen[str]]:
    """`switchover watch` runs from here to the end of the block."""
    process = _start(shop, "-m", "switchover.cli.main", "watch", "-e", ENVIRONMENT)
    try:
        yield process
        assert process.poll() is None, "the watchdog has ended"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            said, complained = process.communicate(timeout=_END_SECONDS)
            sys.stdout.write(f"watchdog: {said}{complained}")
        finally:
            process.kill()


def _start(shop: Shop, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=shop.root,
        env=environ_of(shop),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
