"""What the workspaces of the golden cases are put together from."""

from __future__ import annotations

import json
from typing import Any

Files = dict[str, str | dict[str, Any]]
UNSAFE = "___experimentalUnsafeOptions_WILL_CHANGE_IN_PATCH"


def root(**more: Any) -> dict[str, Any]:
    return {"name": "root", "private": True, "workspaces": ["packages/*"], **more}


def package(name: str, version: str = "1.0.0", **more: Any) -> dict[str, Any]:
    return {"name": name, "version": version, **more}


def pair(range_text: str, section: str = "dependencies", *, core: str = "1.2.3", **more: Any) -> Files:
    """Packages core and ui, ui needing core by the range."""
    return {
        "package.json": root(),
        "packages/core/package.json": package("core", core),
        "packages/ui/package.json": package("ui", **{section: {"core": range_text}}, **more),
    }


def changeset(*wishes: tuple[str, str], summary: str = "Something changed.") -> str:
    lines = "".join(f'"{name}": {bump}\n' for name, bump in wishes)
    return f"---\n{lines}---\n\n{summary}\n"


def many(ranges: list[str], section: str) -> Files:
    """A package for each range, all needing core."""
    files: Files = {"package.json": root(), "packages/core/package.json": package("core", "1.2.3")}
    for at, text in enumerate(ranges):
        files[f"packages/r{at:02}/package.json"] = package(f"r{at:02}", **{section: {"core": text}})
    return files


RANGES = [
    "^1.2.3",
    "~1.2.3",
    "1.2.3",
    "=1.2.3",
    ">=1.2.3",
    ">1.0.0",
    "<=2.0.0",
    "<2.0.0",
    ">=1.0.0 <2.0.0",
    ">=1 <2",
    "<2.0.0 >=1.0.0",
    ">1.0.0 <=1.2.3",
    ">=1.2.0 <1.3.0",
    "1.x",
    "1.2.x",
    "1",
    "*",
    "x",
    "",
    ">=0.0.0",
    "^1 || ^2",
    "* || 1",
    "1.0.0 - 2.0.0",
    "~>1.2.3",
    "^1",
    "~1",
    ">= 1.2.3",
    " ^1.2.3",
    "v1.2.3",
    "latest",
    "next",
    "^9.0.0",
    "npm:core@^1.2.3",
    "file:../core",
    "link:../core",
    "workspace:*",
    "workspace:^",
    "workspace:~",
    "workspace:^1.2.3",
    "workspace:~1.2.3",
    "workspace:1.2.3",
    "workspace:>=1.0.0 <2.0.0",
    "workspace:packages/core",
    "workspace:./packages/core",
    "workspace:../core",
    "git+https://git.example/core.git",
    "^1.2.3-beta.0",
    ">=1.2.3-0",
]
PLAIN = [each for each in RANGES if not each.startswith(("workspace:", "file:", "link:"))]
PRE = ("pre", "enter", "beta")
EXIT = ("pre", "exit")
VERSION = ("version",)
COMMIT = ("commit",)
MANIFEST = json.dumps(package("core", "1.2.3", dependencies={"left": "^1.0.0"}), indent=2)
HISTORY = "# core\n\nAll that happened.\n\n## 1.2.3\n\n### Patch Changes\n\n- old\n"
SUMMARY = "First line  \n\nA paragraph with `code`.\n\n- a list\n  - nested\n\n```js\nconst a = 1;\n```\n\n    indented"
CORE_MINOR = {"calm-owls-sing": changeset(("core", "minor"))}
CORE_PATCH = {"calm-owls-sing": changeset(("core", "patch"))}
CORE_MAJOR = {"calm-owls-sing": changeset(("core", "major"))}


def solo(manifest: str = MANIFEST, **more: str) -> Files:
    return {"package.json": root(), "packages/core/package.json": manifest, **more}
