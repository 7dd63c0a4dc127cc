"""A forge in memory, held to `tests/contracts/test_forge.py` like the real one."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from switchover.decide.outcome import Done, Outcome, Skipped
from switchover.errors import InputError, TargetError
from switchover.operations.shared_places import ForgeRelease
from tests.fakes import Failures

_KEPT_NAME = re.compile(r"[A-Za-z0-9_+-]([A-Za-z0-9._+-]*[A-Za-z0-9_+-])?")


@dataclass(slots=True)
class _Page:
    tag: str
    title: str
    notes: str
    prerelease: bool
    draft: bool = True
    # None: an upload that broke off.
    assets: dict[str, bytes | None] = field(default_factory=dict)


class InMemoryForge:
    """Port `Forge`. `effects` gets what changes, in words: `draft v1.0.0`, `upload a.tgz`, `publish v1.0.0`.

    `tags` are those that were pushed; a test may share the set with its remote.
    """

    def __init__(self, tags: set[str] | None = None, effects: list[str] | None = None) -> None:
        self.tags = set() if tags is None else tags
        self.effects = [] if effects is None else effects
        self.failures = Failures()
        self.pages: dict[int, _Page] = {}
        self.branches: dict[str, set[str]] = {"main": set()}
        self.proposals: dict[tuple[str, str], tuple[str, str]] = {}
        self.findings: list[tuple[str, str, bytes]] = []
        self.code_scanning = True
        self.latest = ""
        self._cuts = False

    def find_release(self, tag: str) -> ForgeRelease | None:
        self.failures.raise_next("find_release")
        same = [number for number, page in self.pages.items() if page.tag == tag]
        chosen = min(same, key=lambda number: (self.pages[number].draft, number), default=None)
        return None if chosen is None else self._show(chosen)

    def draft_release(self, tag: str, title: str, notes: str, *, prerelease: bool) -> ForgeRelease:
        self.failures.raise_next("draft_release")
        found = self.find_release(tag)
        if found is None:
            number = len(self.pages) + 1
            self.pages[number] = _Page(tag, title, notes, prerelease)
            self.effects.append(f"draft {tag}")
            return self._show(number)
        page = self.pages[found.identifier]
        if page.draft and (page.title, page.notes, page.prerelease) != (title, notes, prerelease):
            page.title, page.notes, page.prerelease = title, notes, prerelease
            self.effects.append(f"draft {tag}")
        return self._show(found.identifier)

    def upload_asset(self, release: ForgeRelease, file: Path) -> Outcome:
        self.failures.raise_next("upload_asset")
        page, content = self.pages[release.identifier], file.read_bytes()
        if not _KEPT_NAME.fullmatch(file.name):
            raise _refuse(f"{file.name!r} cannot be the name of a file", expected="plain letters", found=file.name)
        there = page.assets.get(file.name)
        if there == content:
            return Skipped("upload", f"{file.name} is there already")
        if there is not None and not page.draft:
            raise _refuse(f"{file.name} has other bytes", expected=_digest(content), found=_digest(there))
        self.effects.append(f"upload {file.name}")
        page.assets[file.name] = None if self._cuts else content
        if self._cuts:
            self._cuts = False
            failed = "the connection broke"
            raise TargetError(failed, expected="an answer", found="none", next_step="repeat")
        return Done("upload", file.name)

    def publish_release(self, release: ForgeRelease, *, latest: bool) -> str:
        self.failures.raise_next("publish_release")
        page = self.pages[release.identifier]
        if page.draft:
            if page.tag not in self.tags:
                raise _refuse(f"{page.tag} cannot be published", expected="the tag", found="none")
            page.draft = False
            self.effects.append(f"publish {page.tag}")
        if latest and not page.prerelease and self.latest != page.tag:
            self.latest = page.tag
            self.effects.append(f"latest {page.tag}")
        return self._show(release.identifier).url

    def mark_withdrawn(self, release: ForgeRelease, note: str) -> None:
        self.failures.raise_next("mark_withdrawn")
        page = self.pages[release.identifier]
        if not page.notes.startswith(note):
            page.notes = f"{note}\n\n{page.notes}".rstrip()
            self.effects.append(f"withdraw {page.tag}")
        if self.latest == page.tag:
            self.latest = ""

    def propose(self, branch: str, base: str, title: str, body: str) -> str:
        self.failures.raise_next("propose")
        known = self.proposals.get((branch, base))
        if known is None and self.branches.get(branch, set()) <= self.branches.get(base, set()):
            raise _refuse("there is no pull request", expected=f"commits on {branch}", found="none")
        if known != (title, body):
            self.proposals[branch, base] = (title, body)
            self.effects.append(f"propose {branch}")
        return f"https://forge.example/pull/{branch}"

    def upload_sarif(self, sarif: Path, commit: str, ref: str) -> Outcome:
        self.failures.raise_next("upload_sarif")
        if not self.code_scanning:
            return Skipped("sarif", "the forge does not take findings here")
        self.findings.append((commit, ref, sarif.read_bytes()))
        return Done("sarif", commit)

    def push_tag(self, tag: str) -> None:
        self.tags.add(tag)

    def push_branch(self, branch: str, *commits: str) -> None:
        self.branches[branch] = set(commits)

    def cut_next_upload(self) -> None:
        self._cuts = True

    def switch_off_code_scanning(self) -> None:
        self.code_scanning = False

    def read_notes(self, tag: str) -> tuple[str, str]:
        page = next(page for page in self.pages.values() if page.tag == tag)
        return page.title, page.notes

    def read_asset(self, tag: str, name: str) -> bytes | None:
        return next(page.assets[name] for page in self.pages.values() if page.tag == tag)

    def read_latest(self) -> str:
        return self.latest

    def list_proposals(self) -> list[tuple[str, str, str, str]]:
        return [(*branches, *texts) for branches, texts in self.proposals.items()]

    def list_findings(self) -> list[tuple[str, str, bytes]]:
        return self.findings

    def count_effects(self) -> int:
        return len(self.effects)

    def _show(self, number: int) -> ForgeRelease:
        page = self.pages[number]
        assets = {name: "" if content is None else _digest(content) for name, content in page.assets.items()}
        return ForgeRelease(number, page.tag, page.draft, f"https://forge.example/releases/{number}", assets)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _refuse(failed: str, *, expected: str, found: str) -> InputError:
    return InputError(failed, expected=expected, found=found, next_step="mend it")
