"""What people are told about a release: one message that says what is out, or where it stopped and why."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_SHOWN = 10
_LONGEST = 3000
_LONGEST_NOTES = 400
_LONGEST_SUBJECT = 200
# What Prefect and Python put in front of our own words.
_PREFIX = re.compile(r"^(Flow run encountered an exception: )?([\w.]+(Error|Exception): )?")
_OF_ERRORS = re.compile(r"^\s+(expected|found|next):\s+")
_USER_IN_ADDRESS = re.compile(r"(\b[a-z][a-z0-9+]*://)[^/\s@]+@")
# A folder that is another one in every run.
_PASSING = re.compile(r"switchover-release-\w+")
_DONE = "done"
_TAGGED_BEFORE = "skipped: already there"


@dataclass(frozen=True, slots=True)
class Message:
    """A subject of one line, a plain text, and an address to look at. `good`: nothing has to be repaired."""

    subject: str
    body: str
    good: bool
    address: str = ""

    @property
    def fingerprint(self) -> str:
        """The same for two messages that say the same, whichever run says it."""
        return hashlib.sha256(_PASSING.sub("", f"{self.subject}\n{self.body}").encode()).hexdigest()


def list_released(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The components of a report that are completely released now, and were not before."""
    return [each for each in report["components"] if _is_fresh(each)]


def _is_fresh(component: Mapping[str, Any]) -> bool:
    """Whether this run released it: it put the tag, or it ended what a killed run had begun."""
    tag = component["stages"].get("tag", "")
    return bool(tag.startswith(_DONE) or (component["resumed"] and tag == _TAGGED_BEFORE))


def write_success(report: Mapping[str, Any], notes: Mapping[str, str]) -> Message | None:
    """What was released, with links and what changed; None where nothing was.

    `notes` maps names to the sections of their changelogs, in Markdown.
    """
    components = list_released(report)
    if not components:
        return _write_proposal(report)
    names = [f"{each['name']} {each['version']}" for each in components]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    parts = [_describe(each, notes.get(each["name"], "")) for each in components[:_SHOWN]]
    subject = f"{report['project']}: released {', '.join(names[:_SHOWN])}{more}"
    return Message(subject, _cut("\n\n".join(parts), _LONGEST), good=True)


def write_failure(project: str, stages: Iterable[str], reason: str, address: str) -> Message:
    """Where a release stopped and why.

    `stages` are the task runs that failed, `reason` is the message of the run's state, `address` the run in the UI.
    """
    failed, *rest = _read_reason(reason)
    where = ", ".join(stages)
    subject = f"{project}: the release stopped at {where}" if where else f"{project}: {failed}"
    told = [failed, *rest] if where else rest
    body = _cut("\n".join(told), _LONGEST)
    again = "Run it again when that is repaired: what is done is not done twice."
    return Message(_cut(subject, _LONGEST_SUBJECT), f"{body}\n\n{again}".lstrip(), good=False, address=address)


def _write_proposal(report: Mapping[str, Any]) -> Message | None:
    if not report["proposal"]:
        return None
    return Message(f"{report['project']}: a release is proposed", report["proposal"], good=True)


def _read_reason(message: str) -> list[str]:
    """What failed, and then the lines that say what was found and what comes next, without what is expected."""
    first, *rest = _PREFIX.sub("", message.strip(), count=1).splitlines() or ["no reason was given"]
    lines = [first, *(line for line in rest if not line.lstrip().startswith("expected: "))]
    plain = [_OF_ERRORS.sub(lambda match: f"{match[1]}: ", line).rstrip() for line in lines]
    return [_USER_IN_ADDRESS.sub(r"\1", line) for line in plain]


def _describe(component: Mapping[str, Any], notes: str) -> str:
    place = component["page"] or component["reference"] or component["digest"]
    title = f"{component['name']} {component['version']}  {place}".rstrip()
    return "\n".join(line for line in (title, _cut(strip_markdown(notes), _LONGEST_NOTES)) if line)


def strip_markdown(text: str) -> str:
    """Write a section of a changelog so that it reads well where Markdown is not understood."""
    text = re.sub(r"^#{1,6} +(.+?) *#*$", r"\1:", text, flags=re.MULTILINE)
    text = re.sub(r"\[([^\]\n]+)\]\((https?://[^)\s]+)\)", r"\1 (\2)", text)
    text = re.sub(r"\*\*([^*\n]+)\*\*", r"\1", text)
    return re.sub(r"\n{2,}", "\n", text).strip()


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
