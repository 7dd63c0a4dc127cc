"""The program npm as what changes a registry: `npm publish` and `npm deprecate`, each run once."""

from __future__ import annotations

import shutil
import tempfile
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from switchover.adapters.npm_program import NpmAnswer, find_npm, run_npm
from switchover.decide.components import Component

TOKEN_VARIABLE = "SWITCHOVER_NPM_TOKEN"  # noqa: S105 the variable's name
# What a person, a project or a package sets otherwise must not change what a release does.
_SETTINGS = (
    "--ignore-scripts",
    "--fetch-retries=0",
    "--logs-max=0",
    "--no-update-notifier",
    "--no-dry-run",
    "--no-force",
    "--no-color",
    "--loglevel=notice",
)


class NpmPublisher:
    """npm for one registry. What it answers is a hint; the registry knows.

    With a token npm reads a configuration of ours alone, which names the token by its variable. Without one it runs
    in `root`, the checkout, with the configuration of the project and the user: their login, or OIDC.
    """

    def __init__(self, registry: str, token: str, root: Path, environ: Mapping[str, str], seconds: float) -> None:
        self._registry = registry.rstrip("/") + "/"
        self._token = token
        self._root = root
        self._environ = environ
        self._seconds = seconds

    def publish(self, component: Component, archive: Path, tag: str, access: str, *, provenance: bool) -> NpmAnswer:
        """Run `npm publish` for the tarball. `MissingProgramError` without npm."""
        with self._at_home() as home:
            # npm writes the path of the tarball into the registry for everybody to see.
            tarball = home / "package.tgz"
            shutil.copyfile(archive, tarball)
            asked = ["publish", str(tarball), f"--tag={tag}", f"--access={access}"]
            return self._run(component, home, [*asked, "--provenance"] if provenance else asked)

    def deprecate(self, component: Component, reason: str) -> NpmAnswer:
        """Run `npm deprecate` for this one version. `MissingProgramError` without npm."""
        with self._at_home() as home:
            return self._run(component, home, ["deprecate"], "--", f"{component.package}@{component.version}", reason)

    @contextmanager
    def _at_home(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="switchover-npm-") as made:
            home = Path(made)
            if self._token:
                place = urllib.parse.urlsplit(self._registry)
                line = f"//{place.netloc}{place.path}:_authToken=${{{TOKEN_VARIABLE}}}\n"
                (home / "npmrc").write_text(line, encoding="utf-8")
                # The folder is a project of its own, wherever the machine keeps its temporary files.
                (home / "package.json").write_text("{}\n", encoding="utf-8")
            yield home

    def _run(self, component: Component, home: Path, asked: list[str], *operands: str) -> NpmAnswer:
        program = find_npm(self._environ, f"{component} cannot be changed in {self._registry}")
        settings = [*_SETTINGS, f"--registry={self._registry}", f"--cache={home / 'cache'}"]
        settings.append(f"--fetch-timeout={int(self._seconds * 1000)}")
        scope, slash, _ = component.package.partition("/")
        if slash:
            # A registry of the scope, from whatever configuration, would win over `--registry`.
            settings.append(f"--{scope}:registry={self._registry}")
        environment = dict(self._environ)
        if self._token:
            environment[TOKEN_VARIABLE] = self._token
            settings.append(f"--userconfig={home / 'npmrc'}")
        return run_npm(
            program,
            [*asked, *settings, *operands],
            folder=home if self._token else self._root,
            environment=environment,
            seconds=self._seconds,
        )
