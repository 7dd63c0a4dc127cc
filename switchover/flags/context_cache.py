"""Answers kept per flag and context, for flags that are evaluated by somebody else's SDK.

Not for our own evaluation: that takes less time than looking an answer up (`docs/benchmarks.md`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from switchover.flags.context import Context
from switchover.flags.flag_set import Answer, CompiledFlag, Compiler, Flag, FlagSet
from switchover.flags.resolution import Resolution
from switchover.flags.snapshot import Snapshot

USUAL_SECONDS: Final = 300.0

_Key: TypeAlias = tuple[object, str | None, bytes]
_PRIMITIVES: Final = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """Counts since the beginning; under threads one or another question may be missing from them."""

    hits: int
    misses: int
    entries: int

    @property
    def hit_rate(self) -> float:
        """From 0 to 1; 0 before the first question."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


class ContextCache:
    """Wraps the compiler of a client, so that its answers are remembered for `ttl_seconds`.

    Every change of the set, whichever flag it is of, empties the cache in the same moment in which the client gets the
    set: a kill is never late. Errors are not kept. At most `most_entries` answers are, of a context a digest alone.
    """

    def __init__(
        self,
        *,
        ttl_seconds: float = USUAL_SECONDS,
        most_entries: int = 10_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ttl = ttl_seconds
        self._most = most_entries
        self._monotonic = monotonic
        self._entries: OrderedDict[_Key, tuple[float, Resolution]] = OrderedDict()
        self._wrapped: dict[str, tuple[Flag, CompiledFlag]] = {}
        self._inner = FlagSet()
        self._hits = 0
        self._misses = 0

    @property
    def statistics(self) -> CacheStatistics:
        """How often an answer was at hand."""
        return CacheStatistics(self._hits, self._misses, len(self._entries))

    def over(self, compiler: Compiler) -> Compiler:
        """The same compiler, with answers that are remembered."""

        def compile_remembering(snapshot: Snapshot, before: FlagSet) -> FlagSet:
            del before  # It is what was made here; the compiler is given what it has made itself.
            self._inner = inner = compiler(snapshot, self._inner)
            # An evaluation that is under way keeps the entries that it began with. One that begins before the client
            # has the new set finds the new ones, where a flag that has changed has another mark than the one before.
            self._entries = OrderedDict()
            self._wrapped = {key: self._wrap(key, flag) for key, flag in inner.compiled.items()}
            compiled = {key: wrapped for key, (_, wrapped) in self._wrapped.items()}
            return replace(inner, compiled=compiled, answers={key: flag.answer for key, flag in compiled.items()})

        return compile_remembering

    def _wrap(self, key: str, flag: Flag) -> tuple[Flag, CompiledFlag]:
        """A flag that is as before stays the same object: the client tells by that what has changed."""
        known = self._wrapped.get(key)
        if known is not None and known[0] is flag:
            return known
        return flag, CompiledFlag(key, self._remembering(flag.answer), flag.resolutions)

    def _remembering(self, ask: Answer) -> Answer:
        mark = object()

        def answer(context: Context) -> Resolution:
            entries = self._entries
            key = _key_of(mark, context)
            if key is None:
                self._misses += 1
                return ask(context)
            found = entries.get(key)
            if found is not None and self._monotonic() < found[0]:
                self._hits += 1
                return found[1]
            self._misses += 1
            resolution = ask(context)
            if resolution.error_code is None:
                self._keep(entries, key, resolution)
            return resolution

        return answer

    def _keep(self, entries: OrderedDict[_Key, tuple[float, Resolution]], key: _Key, resolution: Resolution) -> None:
        # The oldest make room; another thread may have taken the last one.
        with contextlib.suppress(KeyError):
            while len(entries) >= self._most:
                entries.popitem(last=False)
        entries[key] = self._monotonic() + self._ttl, resolution


def _key_of(mark: object, context: Context) -> _Key | None:
    """What an answer depends on; None for a context that cannot be told from others. `mark` is the flag as it is."""
    targeting_key = context.targeting_key
    if targeting_key is not None and targeting_key.__class__ is not str:
        return None
    if not context.attributes:
        return mark, targeting_key, b""
    try:
        attributes = dict(context.attributes)
        # As text, because 1, 1.0 and True are equal in Python and are not in JSON.
        text = json.dumps(attributes, sort_keys=True)
        if not _is_plain(attributes):
            return None
    except (TypeError, ValueError, RecursionError):
        return None
    return mark, targeting_key, hashlib.blake2b(text.encode(), digest_size=16).digest()


def _is_plain(value: object) -> bool:
    """Whether its text tells it from everything else: a tuple is written as a list is, and 1 as a name as "1" is."""
    kind = value.__class__
    if kind is dict:
        return all(name.__class__ is str and _is_plain(member) for name, member in value.items())  # type: ignore[attr-defined]
    return all(map(_is_plain, value)) if kind is list else kind in _PRIMITIVES  # type: ignore[call-overload]
