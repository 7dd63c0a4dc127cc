"""Which bucket a context falls into: murmur3 over canonical CBOR, as every evaluator of flagd computes it.

The bucket is a share of 2**32; growing the first of two weights keeps everyone who was in it.
"""

from __future__ import annotations

import functools
import importlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TypeVar

import mmh3

from switchover.flags.context import Context
from switchover.flags.forks import IMPORTING_BRIEFLY

T = TypeVar("T")

BUCKETS = 2**32
_MAX_TOTAL_WEIGHT = 2**31 - 1
_LARGEST_INTEGER = 2**64 - 1
_SMALLEST_INTEGER = -(2**63)

_KEPT_SIZE = 255
_TEXT = 0x60
_PAIR = b"\x82"


def _text_head(size: int) -> bytes:
    """CBOR's head of a text of `size` bytes."""
    if size < 24:  # noqa: PLR2004 - RFC 8949, 3: what fits into the first byte
        return bytes((_TEXT | size,))
    for extra, width in ((24, 1), (25, 2), (26, 4)):
        if size < 1 << 8 * width:
            return bytes((_TEXT | extra,)) + size.to_bytes(width, "big")
    return bytes((_TEXT | 27,)) + size.to_bytes(8, "big")


def normalise_numbers(value: object) -> object:
    """Whole floats become integers, at any depth, so that 1 and 1.0 of two languages share a bucket."""
    if isinstance(value, dict):
        return {key: normalise_numbers(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [normalise_numbers(item) for item in value]
    if isinstance(value, float) and value.is_integer() and _SMALLEST_INTEGER <= value <= _LARGEST_INTEGER:
        return int(value)
    return value


def hash_value(value: object) -> int | None:
    """The bucket of any JSON value, 0 to 2**32 - 1; None for null and for what CBOR cannot write."""
    if value is None:
        return None
    try:
        return mmh3.mmh3_32_uintdigest(_import_dumps()(normalise_numbers(value), canonical=True))
    except Exception:  # noqa: BLE001 - the value is a caller's: cyclic, too deep or of a class that fails as it likes
        return None


@functools.cache
def _import_dumps() -> Callable[..., bytes]:
    """Not before a rule needs it: most rollouts go by the targeting key, and do not."""
    with IMPORTING_BRIEFLY:
        dumps: Callable[..., bytes] = importlib.import_module("cbor2").dumps
    return dumps


def hash_pair(flag_key: str, targeting_key: object) -> int | None:
    """The bucket of a targeting key in one flag; None for a key that is empty or no text."""
    if not isinstance(targeting_key, str) or not targeting_key:
        return None
    try:
        raw = str.encode(targeting_key)
        return mmh3.mmh3_32_uintdigest(_begin_pair(flag_key, len(raw)) + raw)
    except UnicodeEncodeError:
        return None


def read_weights(fractions: Sequence[object]) -> tuple[list[object], list[int]] | None:
    """The variants of `fractional` and the upper ends of their buckets; None where nobody gets a variant."""
    variants, weights = [], []
    for fraction in fractions:
        if not isinstance(fraction, (list, tuple)) or not 1 <= len(fraction) <= 2:  # noqa: PLR2004 - variant, weight
            return None
        weight = fraction[1] if len(fraction) == 2 else 1  # noqa: PLR2004
        if isinstance(weight, bool) or not isinstance(weight, int):
            return None
        variants.append(fraction[0])
        weights.append(max(0, weight))
    total = sum(weights)
    if not 0 < total <= _MAX_TOTAL_WEIGHT:
        return None
    ends, end = [], 0
    for weight in weights:
        end += weight
        # bucket * total >> 32 < end, said of the bucket
        ends.append(-((-end << 32) // total))
    return variants, ends


def choose_outcome(bucket: int | None, ends: Sequence[int], outcomes: Sequence[T], nothing: T) -> T:
    """The outcome of a bucket; `nothing` without a bucket, or where there are no outcomes."""
    return outcomes[bisect_right(ends, bucket)] if bucket is not None and ends else nothing


def choose_variant(bucket: int, fractions: Sequence[object]) -> object:
    """The variant of a bucket; None where the weights are wrong."""
    read = read_weights(fractions)
    return None if read is None else read[0][bisect_right(read[1], bucket)]


def split_by_pair(flag_key: str, ends: Sequence[int], outcomes: Sequence[T], nothing: T) -> Callable[[Context], T]:
    """What chooses an outcome by the bucket of a context's targeting key; `nothing` for one without a usable key.

    The path of every rollout. The CBOR of a pair is the same up to the key itself for all keys of one length, and
    most keys of an application have the same few lengths: those beginnings are kept.
    """
    encode, mix = str.encode, mmh3.mmh3_32_uintdigest
    beginnings: dict[int, bytes] = {}

    def choose_slowly(context: Context) -> T:
        key = context.targeting_key
        bucket = hash_pair(flag_key, key)
        if bucket is not None and (size := len(encode(key))) <= _KEPT_SIZE:  # type: ignore[arg-type]  # it has a bucket
            beginnings[size] = _begin_pair(flag_key, size)
        return choose_outcome(bucket, ends, outcomes, nothing)

    def choose(context: Context) -> T:
        try:
            raw = encode(context.targeting_key)  # type: ignore[arg-type]  # what is no text raises TypeError
            bucket = mix(beginnings[len(raw)] + raw)
        except (KeyError, TypeError, UnicodeEncodeError):
            return choose_slowly(context)
        return outcomes[bisect_right(ends, bucket)]

    if len(ends) != 2:  # noqa: PLR2004 - on and off
        return choose
    end, (first, second) = ends[0], outcomes

    def choose_of_two(context: Context) -> T:
        try:
            raw = encode(context.targeting_key)  # type: ignore[arg-type]
            return first if mix(beginnings[len(raw)] + raw) < end else second
        except (KeyError, TypeError, UnicodeEncodeError):
            return choose_slowly(context)

    return choose_of_two


def _begin_pair(flag_key: str, size: int) -> bytes:
    """The CBOR of a list of the flag's key and a text of `size` bytes, without that text."""
    key = flag_key.encode()
    return _PAIR + _text_head(len(key)) + key + _text_head(size)
