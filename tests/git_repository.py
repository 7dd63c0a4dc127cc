"""Small real repositories for tests, apart from the user's own Git configuration."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IDENTITY = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@acme.example",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@acme.example",
    "GIT_AUTHOR_DATE": "2026-01-01T09:00:00+00:00",
    "GIT_COMMITTER_DATE": "2026-01-01T09:00:00+00:00",
}


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository in `root`, made with `new_repository`."""

    root: Path

    def git(self, *arguments: str) -> str:
        """Run git; return what it printed."""
        environment = {**os.environ, **IDENTITY}
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=self.root, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, path: str, content: str | dict[str, Any]) -> None:
        """Write a file; a dict becomes JSON."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content, indent=2) + "\n", encoding="utf-8")

    def commit(self, message: str, files: dict[str, str | dict[str, Any]] | None = None) -> str:
        """Write `files`, commit everything that is there, and return the hash."""
        for path, content in (files or {}).items():
            self.write(path, content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")


def new_repository(root: Path) -> Repository:
    """An empty repository on branch main with an identity of its own."""
    root.mkdir(parents=True, exist_ok=True)
    repository = Repository(root)
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.git("config", "user.name", "Ada")
    repository.git("config", "user.email", "ada@acme.example")
    return repository


def new_workspace(root: Path) -> Repository:
    """Packages core 1.0.0 and ui 1.0.0 and the service cart 1.0.0, each needing the one before; one changeset."""
    repository = new_repository(root)
    repository.commit(
        "feat: start",
        {
            "package.json": {"name": "acme", "private": True, "workspaces": ["packages/*", "services/*"]},
            "packages/core/package.json": {"name": "@acme/core", "version": "1.0.0", "files": ["index.js"]},
            "packages/core/index.js": "export const core = 1\n",
            "packages/ui/package.json": {
                "name": "@acme/ui",
                "version": "1.0.0",
                "files": ["index.js"],
                "dependencies": {"@acme/core": "1.0.0"},
            },
            "packages/ui/index.js": "export const ui = 1\n",
            "services/cart/package.json": {
                "name": "cart",
                "version": "1.0.0",
                "private": True,
                "dependencies": {"@acme/ui": "^1.0.0"},
            },
            "services/cart/main.py": "print('cart')\n",
            ".gitignore": ".switchover/\n",
            "switchover.toml": (
                '[project]\nname = "acme"\n\n[services.cart]\npath = "services/cart"\n'
                'command = ["{python}", "main.py"]\n\n[environments.production]\n\n'
                '[release.scan]\nscanners = ["secrets", "misconfiguration"]\n'
            ),
        },
    )
    for name in ("@acme/core", "@acme/ui", "cart"):
        repository.git("tag", "--annotate", "--message", name, f"{name}@1.0.0")
    repository.commit("fix(core): count right", {"packages/core/index.js": "export const core = 2\n"})
    repository.commit("docs: say so", {".changeset/more.md": '---\n"cart": minor\n---\n\nThe cart does more.\n'})
    return repository


def new_bare(root: Path) -> Repository:
    """An empty repository without a work tree, as servers have them."""
    root.mkdir(parents=True, exist_ok=True)
    repository = Repository(root)
    repository.git("init", "--quiet", "--bare", "--initial-branch=main")
    return repository


def clone(source: Repository, root: Path, *options: str) -> Repository:
    """A checkout of `source`, which is its remote `origin`; through a real conversation, so `--depth` counts."""
    source.git("clone", "--quiet", *options, source.root.as_uri(), str(root))
    repository = Repository(root)
    repository.git("config", "user.name", "Ada")
    repository.git("config", "user.email", "ada@acme.example")
    return repository
