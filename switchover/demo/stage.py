"""Where the demonstration plays: its folders, and the example repository in them."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from switchover.adapters.private_files import ensure_private_folder
from switchover.config import FILE_NAME
from switchover.errors import InputError

SERVICE = "shop"
ENVIRONMENT = "production"
_PROJECT = Path(__file__).resolve().parents[2]
_HISTORY = _PROJECT / "examples" / "shop_history.py"


class ShopHistory(Protocol):
    """What `examples/shop_history.py` offers."""

    def build_shop(self, destination: Path) -> None:
        """Make the repository as it is before its first release."""

    def advance_shop(self, repository: Path, to: str) -> str:
        """Add the commits of a version."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The folders: `work` is the demonstration's own and kept between runs, `output` is what it leaves to look at."""

    work: Path
    output: Path

    @property
    def project(self) -> Path:
        """The checkout of this project, where `flows` is found."""
        return _PROJECT

    @property
    def repository(self) -> Path:
        """The example monorepo of this run."""
        return self.work / "shop"

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.repository / FILE_NAME

    @property
    def prefect_home(self) -> Path:
        """Home of the demonstration's own Prefect server. Kept: a new database takes half a minute."""
        return self.work / "prefect"

    @property
    def logs(self) -> Path:
        """What the processes write. In our own folder, because it is emptied before a run."""
        return self.work / "logs"

    @property
    def load_file(self) -> Path:
        """The load generator's record."""
        return self.output / "load.jsonl"

    def open(self) -> None:
        """Make the demonstration's own folder."""
        ensure_private_folder(self.work)

    def clear(self) -> None:
        """Take away what an earlier run left: its repository, logs and records. The Prefect server's home stays."""
        shutil.rmtree(self.repository, ignore_errors=True)
        shutil.rmtree(self.logs, ignore_errors=True)
        ensure_private_folder(self.logs)
        try:
            self.output.mkdir(parents=True, exist_ok=True)
            self.load_file.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(
                f"cannot write to {self.output}",
                expected="a folder for the report and the pictures",
                found=error.strerror or str(error),
                next_step="name another one with --output",
            ) from error


def open_shop_history() -> ShopHistory:
    """Load the example's history, which is part of the checkout and not of the installed package."""
    spec = importlib.util.spec_from_file_location("switchover_demo_shop_history", _HISTORY)
    if not _HISTORY.is_file() or spec is None or spec.loader is None:
        raise InputError(
            "the demonstration's example is not here",
            expected=f"{_HISTORY.relative_to(_PROJECT)} in a checkout of switchover",
            found="an installation without it",
            next_step="clone the repository and run `make demo` in it",
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return cast("ShopHistory", module)
