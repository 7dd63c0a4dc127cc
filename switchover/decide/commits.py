"""Conventional commits by the letter of the specification 1.0.0, as a value or a reason why not.

Where tools disagree, the letter decides:

- The colon needs a space after it, a scope needs a noun in it (no parentheses), and `!` stands right before
  the colon. Types and footer tokens know no case; `BREAKING CHANGE` and `BREAKING-CHANGE` are upper-case.
- The body begins one blank line after the description. Text right under the subject is not conventional.
- A footer begins a paragraph, or follows another footer. `BREAKING CHANGE` takes a colon, a space and a
  description; with ` #` or without a text it is a footer, but not a breaking change.
- A squashed list in a body stays a body, and a merge commit is not conventional.

What a list or a revert means for a history is a policy: `switchover.decide.read_commits`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from switchover.decide.bumps import Bump

HEADER = re.compile(r"(?P<type>[\w-]+)(?:\((?P<scope>[^()\r\n]*)\))?(?P<bang>!)?: +(?P<description>\S.*)")
FOOTER = re.compile(r"(?P<token>BREAKING CHANGE|[A-Za-z0-9][\w-]*)(?P<separator>: | #)(?P<value>.*)")
BREAKING_TOKENS = frozenset({"BREAKING CHANGE", "BREAKING-CHANGE"})
REVERT = "revert"
BUMP_OF_TYPE = {"feat": Bump.MINOR, "fix": Bump.PATCH, "perf": Bump.PATCH, REVERT: Bump.PATCH}


@dataclass(frozen=True, slots=True)
class Footer:
    """A trailer of a commit. `separator` is `: ` or ` #`; the value may span lines."""

    token: str
    separator: str
    value: str

    @property
    def breaking(self) -> bool:
        """Whether this footer announces a breaking change."""
        return self.token in BREAKING_TOKENS and self.separator == ": " and bool(self.value.strip())


@dataclass(frozen=True, slots=True)
class ConventionalCommit:
    """A message that follows the specification. `type` is lower-case; an absent scope or body is empty."""

    type: str
    scope: str
    breaking: bool
    description: str
    body: str
    footers: tuple[Footer, ...]


@dataclass(frozen=True, slots=True)
class NotConventional:
    """A message that does not follow the specification, and the rule that it misses."""

    reason: str


def parse_commit(message: str) -> ConventionalCommit | NotConventional:
    """Read one commit message. Any text is an answer; nothing is raised."""
    lines = message.replace("\r\n", "\n").replace("\r", "\n").strip("\n").split("\n")
    header = HEADER.fullmatch(lines[0].rstrip())
    if header is None:
        return NotConventional(_explain_header(lines[0]))
    scope = header["scope"]
    if scope is not None and not scope.strip():
        return NotConventional("the scope between the parentheses is empty")
    if len(lines) > 1 and lines[1].strip():
        return NotConventional("the body must begin one blank line after the description")
    body, footers = _split_footers(lines[2:])
    return ConventionalCommit(
        type=header["type"].lower(),
        scope=(scope or "").strip(),
        breaking=header["bang"] is not None or any(footer.breaking for footer in footers),
        description=header["description"].strip(),
        body=body,
        footers=footers,
    )


def judge_commit(commit: ConventionalCommit | NotConventional) -> Bump:
    """The version change that a commit asks for: breaking major, feat minor; fix, perf, revert patch; else none."""
    if isinstance(commit, NotConventional):
        return Bump.NONE
    return Bump.MAJOR if commit.breaking else BUMP_OF_TYPE.get(commit.type, Bump.NONE)


def _explain_header(line: str) -> str:
    if not line.strip():
        return "the message is empty"
    if line.startswith("Merge "):
        return "a merge commit"
    head, colon, rest = line.partition(":")
    if not colon:
        return "the subject has no 'type: '"
    if not rest.strip():
        return "nothing stands after the colon"
    if not rest.startswith(" "):
        return "a space is missing after the colon"
    return f"'{head}' is not a type with an optional (scope) and '!'"


def _split_footers(lines: list[str]) -> tuple[str, tuple[Footer, ...]]:
    """Body and footers; the footers begin at the first paragraph that opens with a token."""
    start = next(
        (at for at, line in enumerate(lines) if FOOTER.fullmatch(line) and (at == 0 or not lines[at - 1].strip())),
        len(lines),
    )
    groups: list[list[str]] = []
    for line in lines[start:]:
        if FOOTER.fullmatch(line):
            groups.append([line])
        else:
            groups[-1].append(line)
    return "\n".join(lines[:start]).strip(), tuple(_read_footer(group) for group in groups)


def _read_footer(lines: list[str]) -> Footer:
    first = FOOTER.fullmatch(lines[0])
    if first is None:
        unreachable = f"a footer group begins with a token: {lines[0]!r}"
        raise AssertionError(unreachable)
    value = "\n".join([first["value"], *lines[1:]]).strip()
    return Footer(first["token"], first["separator"], value)
