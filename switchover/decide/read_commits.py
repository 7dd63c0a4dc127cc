"""What a history asks for where a commit speaks for others: the list in a squash commit, and reverts.

The specification leaves both open, so both are a policy.

- `squashed`: `ignore` leaves a list in a body alone. `read` takes each item `* feat: …` or `- fix!: …` for a commit
  of its own, with what follows up to the next item of the same bullet as its body and footers. The trailers below a
  line of dashes, and what stands before the list, are the squash commit's own.
- `reverts`: `ignore` lets a revert do nothing. With `patch` it is a patch. With `cancel` a commit and its revert that
  are both unreleased do nothing together, and a revert of anything else is a patch. A revert names commits
  (`This reverts commit <hash>`, `Refs: <hash>, <hash>`) or else the subject of one. A breaking revert that cancels
  nothing stays breaking.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from switchover.decide.commits import HEADER, REVERT, ConventionalCommit, parse_commit

READ, CANCEL, IGNORE = "read", "cancel", "ignore"
ITEM = re.compile(r"(?P<bullet>[*-]) +(?P<text>\S.*)")
DASHES = re.compile(r"-{3,}")
QUOTED = re.compile(r'(?:Revert|Reapply) "(?P<subject>.+)"(?: \(#\d+\))?')
TAKES_BACK = re.compile(r"^This reverts commit ([0-9a-f]{7,64})\b", re.MULTILINE)
HASHES = re.compile(r"[0-9a-f]{7,64}(?:[ ,]+[0-9a-f]{7,64})*")


@dataclass(frozen=True, slots=True)
class ReadCommit:
    """A commit with the conventional commits in it, in the order of its text; none where it has no say."""

    sha: str
    commits: tuple[ConventionalCommit, ...] = ()


@dataclass(frozen=True, slots=True)
class _Revert:
    """What a commit takes back: commits by hash, or the one with this subject where it names none."""

    shas: tuple[str, ...]
    subject: str
    commit: ConventionalCommit


def read_commits(commits: Iterable[tuple[str, str]], squashed: str, reverts: str) -> tuple[ReadCommit, ...]:
    """Read unreleased commits (hash and message), newest first, by the policies above. Any text is an answer."""
    listed = tuple((sha, _normalise(message)) for sha, message in commits)
    found = {sha: revert for sha, message in listed if (revert := _read_revert(message)) is not None}
    cancelled = _cancel(listed, found) if reverts == CANCEL else frozenset()
    return tuple(
        ReadCommit(sha, () if sha in cancelled else tuple(_read(message, found.get(sha), squashed, reverts)))
        for sha, message in listed
    )


def _read(message: str, revert: _Revert | None, squashed: str, reverts: str) -> Iterator[ConventionalCommit]:
    if revert is not None:
        if reverts != IGNORE or revert.commit.breaking:
            yield revert.commit
        return
    texts = _split(message) if squashed == READ and not message.startswith("Merge ") else (message,)
    for text in texts:
        parsed = parse_commit(text)
        if isinstance(parsed, ConventionalCommit) and (parsed.type != REVERT or reverts != IGNORE or parsed.breaking):
            yield parsed


def _split(message: str) -> tuple[str, ...]:
    """The messages in a message: its own without the list, then those of the items that are conventional."""
    lines = message.split("\n")
    first = next((at for at, line in enumerate(lines) if at and _is_commit(line)), None)
    if first is None:
        return (message,)
    end = next((at for at in range(first, len(lines)) if DASHES.fullmatch(lines[at])), len(lines))
    bullet = lines[first][0]
    items: list[list[str]] = []
    for line in lines[first:end]:
        item = ITEM.fullmatch(line)
        if item is not None and item["bullet"] == bullet:
            items.append([item["text"], ""])
        else:
            items[-1].append(line.removeprefix("  "))
    own = "\n".join([*lines[:first], "", *lines[end + 1 :]])
    return (re.sub(r"\n{3,}", "\n\n", own), *("\n".join(item) for item in items))


def _is_commit(line: str) -> bool:
    item = ITEM.fullmatch(line)
    return item is not None and HEADER.fullmatch(item["text"]) is not None


def _read_revert(message: str) -> _Revert | None:
    subject, _, rest = message.partition("\n")
    shas = TAKES_BACK.findall(rest)
    quoted = QUOTED.fullmatch(subject.strip())
    if quoted is not None:
        commit = ConventionalCommit(
            REVERT, "", breaking=False, description=quoted["subject"], body=rest.strip(), footers=()
        )
        return _Revert(tuple(shas), quoted["subject"], commit)
    parsed = parse_commit(message)
    if not isinstance(parsed, ConventionalCommit) or parsed.type != REVERT:
        return None
    for footer in parsed.footers:
        if footer.token.lower() == "refs" and HASHES.fullmatch(footer.value):
            shas += re.findall(r"[0-9a-f]+", footer.value)
    return _Revert(tuple(shas), parsed.description, parsed)


def _cancel(listed: tuple[tuple[str, str], ...], reverts: dict[str, _Revert]) -> frozenset[str]:
    """The commits that come to nothing. Newest first, so that a revert that was taken back takes nothing back."""
    cancelled: set[str] = set()
    for at, (sha, _) in enumerate(listed):
        if sha not in reverts or sha in cancelled:
            continue
        revert, older = reverts[sha], listed[at + 1 :]
        open_ones = [(each, message) for each, message in older if each not in cancelled]
        if revert.shas:
            targets = [next((each for each, _ in open_ones if each.startswith(named)), None) for named in revert.shas]
        else:
            targets = [next((each for each, message in open_ones if _subject(message) == revert.subject), None)]
        cancelled |= {each for each in targets if each is not None}
        if None not in targets:
            cancelled.add(sha)
    return frozenset(cancelled)


def _subject(message: str) -> str:
    return message.partition("\n")[0].strip()


def _normalise(message: str) -> str:
    return message.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
