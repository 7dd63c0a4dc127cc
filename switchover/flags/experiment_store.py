"""The keeper of records in Redis: counts by day, the units of experiments, the events of units.

All keys begin with the set's hash tag, so that a Cluster keeps them on one node, and `:records:`. The rights that this
needs are among those that `redis_connection` names.

- `counts:<day>`, a hash: an answer (JSON of flag, variant, rule, reason, error) -> how often it was given;
- `units:<flag>`, a hash: the unit (a hash of the targeting key) -> `<exposed at>|<variant>`; when reassigned
  `-<given at>|<variant given last>`;
- `event:<flag>:<event>`, a hash: the unit -> `<how often>|<sum of values>`;
- `notes:<flag>`, a hash of what was left out; `kinds:<flag>`, the set of the events' names;
- `watch:<flag>`, a hash: what is watched while the flag is rolled out, and `=<variant>` -> the units that had the
  event; `watched:<flag>`, the set of these units;
- `instance:<instance>`: the number of the last batch that was kept.

Import this module late: it brings the Redis client.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import quote

import redis

from switchover.errors import LedgerUnreadableError
from switchover.flags.experiment_script import SCRIPT
from switchover.flags.records import (
    MAX_EVENTS,
    MAX_UNITS,
    Answered,
    Batch,
    DailyCount,
    ErrorWatch,
    ExperimentData,
    Exposure,
    Occurrence,
    Tally,
    day_of,
)
from switchover.flags.redis_connection import Patience, open_connection
from switchover.flags.redis_place import read_redis_place
from switchover.flags.redis_trouble import TROUBLE, trouble

DAYS_KEPT: Final = 100
_DAY_SECONDS: Final = 86_400
_EXPERIMENT_SECONDS: Final = 180 * _DAY_SECONDS
_SEEN_SECONDS: Final = 7 * _DAY_SECONDS
_SCAN: Final = 1000

# An application that ends waits for its last flush, and no longer than this.
_PATIENCE: Final = Patience(connect_seconds=1.0, read_seconds=3.0)


class RedisRecords:
    """Keeps the records of one flag set. It connects when it is first used, and anew after any trouble or fork.

    Raises `InputError` for a place that is none.
    """

    def __init__(self, place: str, *, max_units: int = MAX_UNITS, patience: Patience = _PATIENCE) -> None:
        self._place = read_redis_place(place)
        self._patience = patience
        self._prefix = f"{{switchover:flags:{self._place.set_name}}}:records:"
        self._max_units = max_units
        self._open: tuple[int, redis.Redis] | None = None

    def write(self, batch: Batch) -> None:
        """Keep the batch by one script, unless this or a later one of the instance was kept before."""
        keys = _Keys(self._key("instance", batch.instance))
        steps: list[bytes] = []
        for count in batch.counts:
            key = keys.place(self._key("counts", count.day.isoformat()))
            steps += [b"c", key, _field(count.answered), b"%d" % count.count]
        for record in batch.records:
            steps += self._steps(record, keys)
        limits = (MAX_EVENTS, self._max_units, _SEEN_SECONDS, DAYS_KEPT * _DAY_SECONDS, _EXPERIMENT_SECONDS)
        with self._connected("the records of flags could not be kept") as connection:
            connection.eval(SCRIPT, len(keys), *keys, batch.sequence, *limits, *steps)

    def read_counts(self) -> Mapping[str, Sequence[DailyCount]]:
        """The answers of each flag by day, oldest first, of the last 100 days."""
        today = day_of(time.time())
        days = [today - timedelta(days=back) for back in range(DAYS_KEPT, -2, -1)]
        with self._connected("the counts of flags could not be read") as connection:
            pipeline = connection.pipeline(transaction=False)
            for day in days:
                pipeline.hgetall(self._key("counts", day.isoformat()))
            answers = pipeline.execute()
        found: dict[str, list[DailyCount]] = {}
        for day, fields in zip(days, answers, strict=True):
            for name, number in fields.items():
                count = _daily_count(day, _bytes(name), _bytes(number))
                found.setdefault(count.answered.flag, []).append(count)
        return found

    def read_experiment(self, flag: str, event: str, since: int = 0) -> ExperimentData:
        """The experiment, scanned in small steps; 200,000 units take a few seconds of waiting."""
        with self._connected(f"the experiment {flag} could not be read") as connection:
            noted = connection.hgetall(self._key("notes", flag))
            notes = {_text(name): int(count) for name, count in noted.items()}
            kinds = sorted(_text(kind) for kind in connection.smembers(self._key("kinds", flag)))
            happened = _scan(connection, self._key("event", flag, event))
            units = _scan(connection, self._key("units", flag))
            tally = Tally(since)
            for unit, assigned in units.items():
                at, variant = assigned.split(b"|", 1)
                if not at.startswith(b"-"):
                    tally.add(_decode(variant), int(at), *_outcome(happened.get(unit)))
        return replace(
            tally.data(flag, event),
            reassigned=notes.get("reassigned", 0),
            refused=notes.get("refused", 0),
            early=notes.get("early", 0),
            unkept=notes.get("kinds", 0),
            events=tuple(kinds),
        )

    def begin_watch(self, watch: ErrorWatch) -> None:
        """Begin to count, from nothing."""
        key, watched = self._key("watch", watch.flag), self._key("watched", watch.flag)
        texts = {"run": watch.run, "event": watch.event, "variant": watch.variant, "trusted": str(watch.trusted_since)}
        with self._connected(f"the errors of {watch.flag} cannot be watched") as connection:
            steps = connection.pipeline(transaction=True)
            steps.delete(key, watched)
            steps.hset(key, mapping={name: _encode(text) for name, text in texts.items()})
            steps.expire(key, _EXPERIMENT_SECONDS)
            steps.execute()

    def read_watch(self, flag: str, run: str) -> Mapping[str, int]:
        """The units that had the event so far, by variant."""
        with self._connected(f"the errors of {flag} could not be read") as connection:
            fields = {_text(name): value for name, value in connection.hgetall(self._key("watch", flag)).items()}
            if _bytes(fields.get("run", b"")) != _encode(run):
                return {}
            return {name[1:]: int(count) for name, count in fields.items() if name.startswith("=")}

    def _steps(self, record: Exposure | Occurrence, keys: _Keys) -> list[bytes]:
        flag = record.flag
        units, notes = keys.place(self._key("units", flag)), keys.place(self._key("notes", flag))
        unit, at = record.unit.encode(), b"%d" % max(record.at, 0)
        if isinstance(record, Exposure):
            return [b"x", units, notes, unit, _encode(record.variant), at]
        kinds, happened = keys.place(self._key("kinds", flag)), keys.place(self._key("event", flag, record.event))
        watch, watched = keys.place(self._key("watch", flag)), keys.place(self._key("watched", flag))
        value = b"" if record.value is None else repr(record.value).encode()
        return [b"e", units, notes, kinds, happened, watch, watched, unit, _encode(record.event), value, at]

    def close(self) -> None:
        """Let go of the connection; the next call opens another."""
        held, self._open = self._open, None
        if held is not None and held[0] == os.getpid():
            held[1].close()

    @contextmanager
    def _connected(self, failed: str) -> Iterator[Any]:
        try:
            if self._open is None or self._open[0] != os.getpid():
                self._open = os.getpid(), open_connection(self._place, self._patience)
            yield self._open[1]
        except TROUBLE as error:
            self.close()
            if "WRONGTYPE" in str(error):
                raise _unreadable(failed, "a key of another type than ours") from None
            raise trouble(error, self._place, failed) from None
        except (ValueError, IndexError, TypeError):
            raise _unreadable(failed, "a key with something that this version does not write") from None

    def _key(self, kind: str, *names: str) -> str:
        return self._prefix + ":".join((kind, *(quote(_encode(name), safe="") for name in names)))


class _Keys:
    """The keys of one call of the script, each once, and where they stand."""

    def __init__(self, first: str) -> None:
        self._places = {first: 1}

    def place(self, key: str) -> bytes:
        return b"%d" % self._places.setdefault(key, len(self._places) + 1)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)


def _scan(connection: Any, key: str) -> dict[bytes, bytes]:
    return {_bytes(name): _bytes(value) for name, value in connection.hscan_iter(key, count=_SCAN)}


def _unreadable(failed: str, found: str) -> LedgerUnreadableError:
    return LedgerUnreadableError(
        failed,
        expected="the hashes and sets that the recorder writes",
        found=found,
        next_step="look at the keys of the flag set with HGETALL; remove what does not belong there",
    )


def _field(answered: Answered) -> bytes:
    parts = (answered.flag, answered.variant, answered.rule, answered.reason, answered.error)
    return json.dumps(parts, separators=(",", ":")).encode("ascii")


def _daily_count(day: date, name: bytes, number: bytes) -> DailyCount:
    try:
        flag, variant, rule, reason, error = json.loads(name)
        return DailyCount(day, Answered(str(flag), variant, rule, str(reason), error), int(number))
    except (ValueError, TypeError):
        found = f"a field that is no answer: {name[:80]!r}"
        raise _unreadable("the counts of flags could not be read", found) from None


def _outcome(happened: bytes | None) -> tuple[bool, float | None]:
    """Whether the event came, and the sum of its values, None where it came without."""
    if happened is None:
        return False, None
    total = happened.partition(b"|")[2]
    return True, float(total) if total else None


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogatepass")


def _bytes(value: bytes | str) -> bytes:
    return _encode(value) if isinstance(value, str) else value


def _text(value: bytes | str) -> str:
    return _decode(_bytes(value))
