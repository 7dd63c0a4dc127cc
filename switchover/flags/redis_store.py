"""A flag set in Redis, as an operator sees and changes it. The form is that of `switchover.flags.redis_form`."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import redis

from switchover.errors import InputError, LedgerConflictError, LedgerUnreadableError, TargetError
from switchover.flags.redis_connection import Patience, open_connection
from switchover.flags.redis_form import (
    HEAD_FIELDS,
    MOST_BYTES,
    REMEMBERED_MS,
    Entry,
    MalformedError,
    StoredSet,
    is_part,
    keys_of,
    read_acknowledgement,
    read_before,
    read_edits,
    read_entry,
    read_head,
    read_parts,
    split_set,
    write_json,
)
from switchover.flags.redis_place import RedisPlace, read_redis_place
from switchover.flags.redis_scripts import WRITE, run_script
from switchover.flags.redis_trouble import TROUBLE, trouble
from switchover.flags.snapshot import Acknowledgements, Change, Edits, Json, Note, Part, Snapshot

Found = TypeVar("Found")

_log = logging.getLogger(__name__)


class RedisStore:
    """Port `FlagStore`. Nothing is asked before the first call; each call opens a connection and closes it.

    Raises `InputError` for a place that cannot be parsed.
    """

    def __init__(self, place: str | RedisPlace, *, patience: Patience | None = None) -> None:
        self._place = read_redis_place(place) if isinstance(place, str) else place
        self._patience = patience
        self._keys = keys_of(self._place.set_name)
        self._read = StoredSet()

    def __repr__(self) -> str:
        return f"RedisStore({str(self._place)!r})"

    def read(self) -> Snapshot:
        """The set as it is now; version 0 where there is none.

        A broken part is handed on as its text, which no flag is: the others can be changed, and it can be overwritten.
        """
        with self._connection("the flag set could not be read") as connection:
            fields: dict[bytes, bytes] = connection.hgetall(self._keys.set)
        head, texts = self._parse(lambda: split_set(fields))
        if head is None:
            return Snapshot()
        parts, broken = read_parts(texts, {})
        for part, why in broken.items():
            _log.warning("%s: %s is %s", self._place, part, why)
        snapshot = Snapshot(head.version, head.lineage, parts)
        self._read = StoredSet(snapshot, head.mark)
        return snapshot

    def write(self, expected: Snapshot, edits: Edits, note: Note) -> Change:
        """Make the next version and its entry in one step on the server.

        When the answer is lost, the audit trail is asked whether the change was made.
        """
        texts = _texts(edits)
        mark = secrets.token_hex(8)
        known = self._read.snapshot
        same = (known.version, known.lineage) == (expected.version, expected.lineage)
        words = [
            str(expected.version),
            expected.lineage,
            self._read.mark if same else "",
            secrets.token_hex(8),
            mark,
            str(self._place.history),
            str(MOST_BYTES),
            note.who,
            note.why,
            note.action,
            write_json(dict(edits)),
            *(word for pair in texts.items() for word in pair),
        ]
        try:
            with self._connection("the change was not stored") as connection:
                keys = (self._keys.set, self._keys.changes, self._keys.former)
                answer = [part.decode(errors="replace") for part in run_script(connection, WRITE, keys, words)]
        except TargetError as error:
            if not isinstance(error.__cause__, redis.ConnectionError | redis.TimeoutError):
                raise
            return self._find_change(expected.version + 1, mark, error)
        if answer[0] != "ok":
            raise self._refusal(answer, expected)
        _, version, lineage, at, before, aside = answer
        if aside:
            _log.warning(
                "%s: the changes before version %s stood in the way and are in %s now", self._place, version, aside
            )
        self._read = StoredSet(Snapshot(int(version), lineage), mark)
        made = datetime.fromtimestamp(int(at) / 1000, UTC)
        return Change(int(version), made, note, dict(edits), self._parse(lambda: read_before(edits, before)), mark)

    def history(self, limit: int | None = None) -> Sequence[Change]:
        """The stream, newest first. Entries that are none of a set's are left out, and counted in the log."""
        changes: list[Change] = []
        foreign, newest = 0, "+"
        with self._connection("the history could not be read") as connection:
            while limit is None or len(changes) < limit:
                count = None if limit is None else limit - len(changes)
                found = connection.xrevrange(self._keys.changes, newest, count=count)
                read = [one for one in map(_read_change, found) if one is not None]
                changes += read
                foreign += len(found) - len(read)
                if count is None or len(found) < count:
                    break
                newest = f"({found[-1][0].decode()}"
        if foreign:
            _log.warning(
                "%s: %d entries of %s are no changes and are left out", self._place, foreign, self._keys.changes
            )
        return changes

    def acknowledgements(self) -> Acknowledgements:
        """Those who were heard of within the last 5 minutes of the server's clock, and the set's head with them."""
        with self._connection("the live processes could not be read") as connection:
            steps = connection.pipeline(transaction=True)
            steps.time()
            steps.hmget(self._keys.set, list(HEAD_FIELDS))
            steps.zrange(self._keys.seen, 0, -1, withscores=True)
            steps.hgetall(self._keys.live)
            (seconds, micros), fields, seen, said = steps.execute()
        head = self._parse(lambda: read_head(fields))
        now = seconds * 1000 + micros / 1000
        processes = tuple(
            read_acknowledgement(instance, said.get(instance), (now - at) / 1000)
            for instance, at in seen
            if now - at <= REMEMBERED_MS
        )
        if head is None:
            return Acknowledgements(processes=processes)
        return Acknowledgements(head.version, head.lineage, head.mark, processes)

    @contextmanager
    def _connection(self, failed: str) -> Iterator[Any]:
        try:
            with open_connection(self._place, self._patience) as connection:
                yield connection
        except TROUBLE as error:
            raise trouble(error, self._place, failed) from error

    def _find_change(self, version: int, mark: str, lost: TargetError) -> Change:
        """The change whose answer was lost. Raises `TargetError` when it cannot be seen."""
        with self._connection("it is not known whether the change was stored") as connection:
            found = connection.xrange(self._keys.changes, f"{version}-0", f"{version}-0")
        entries = [self._parse(lambda: read_entry(*entry)) for entry in found]  # noqa: B023 - called at once
        if not entries or entries[0].mark != mark:
            raise TargetError(
                "the change was probably not stored",
                expected=lost.problem.expected,
                found=f"{lost.problem.found}; afterwards the history has no such change",
                next_step="look at the history, then repeat: a change is never made twice",
            ) from lost
        self._read = StoredSet(Snapshot(version, entries[0].lineage), mark)
        return self._parse(lambda: _change(entries[0]))

    def _refusal(self, answer: Sequence[str], expected: Snapshot) -> Exception:
        if answer[0] == "conflict":
            here = f"version {answer[1]} of lineage {answer[2]}" if answer[1] != "0" else "no set"
            return LedgerConflictError(
                "the flag set changed meanwhile",
                expected=f"version {expected.version} of lineage {expected.lineage or '(new)'}",
                found=here if answer[1] != str(expected.version) else f"{here}, by another change",
                next_step="read it again and decide again",
            )
        if answer[0] == "big":
            return InputError(
                "the flag set would be too big",
                expected=f"at most {MOST_BYTES} bytes",
                found=f"{answer[1]} bytes",
                next_step="remove flags, or divide them between two sets",
            )
        return self._unreadable("the set's `version` is missing or no number")

    def _parse(self, parse: Callable[[], Found]) -> Found:
        try:
            return parse()
        except MalformedError as error:
            raise self._unreadable(str(error)) from None

    def _unreadable(self, found: str) -> LedgerUnreadableError:
        return LedgerUnreadableError(
            f"the flag set in {self._place} is broken",
            expected=f"the form that switchover writes, in {self._keys.set} and {self._keys.changes}",
            found=found,
            next_step="mend or remove that field by `redis-cli`; nothing was changed",
        )


def _texts(edits: Edits) -> dict[Part, str]:
    """The JSON of each edited part, empty: removed. Raises `InputError`."""
    return {part: _text(part, value) for part, value in edits.items()}


def _text(part: Part, value: Json) -> str:
    try:
        if not is_part(part):
            raise ValueError(part)  # noqa: TRY301 - one answer to all that is wrong with it
        text = "" if value is None else write_json(value)
        f"{part}{text}".encode()
    except (ValueError, TypeError, RecursionError):
        raise InputError(
            "the change cannot be stored",
            expected="parts like flags/<key>, $evaluators/<name>, metadata/<name>, each of JSON",
            found=f"{part!r:.100} is none, or is not of JSON",
            next_step="correct it",
        ) from None
    return text


def _change(entry: Entry) -> Change:
    edits = read_edits(entry.edits)
    return Change(entry.version, entry.at, entry.note, edits, read_before(edits, entry.before), entry.mark)


def _read_change(found: tuple[bytes, Mapping[bytes, bytes]]) -> Change | None:
    """The change of an entry; None where it is none."""
    try:
        return _change(read_entry(*found))
    except MalformedError:
        return None
