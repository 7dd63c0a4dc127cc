"""The operators that look at the scope itself: `var`, `missing`, `missing_some`, `fractional`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from switchover.flags.bucketing import (
    choose_outcome,
    choose_variant,
    hash_pair,
    hash_value,
    read_weights,
    split_by_pair,
)
from switchover.flags.context import TARGETING_KEY, Context
from switchover.flags.conversions import follow, look_up, to_number
from switchover.flags.expression import Expression, Fractional, Run, constant
from switchover.flags.rule_site import Scope, Site, WholeDataNeededError

FLAGD = "$flagd"
_FLAG_KEY = "$flagd.flagKey"


def _compile_var(arguments: Sequence[Expression], scope: Scope, site: Site) -> Expression:
    key = arguments[0] if arguments else constant(None)
    default = arguments[1] if len(arguments) > 1 else constant(None)
    if len(arguments) > 2 or not (key.is_constant and default.is_constant):  # noqa: PLR2004 - a key and a default
        return _look_up_freely(arguments, scope)
    path = key.value
    if not isinstance(path, str) or not path:
        return _look_up_freely(arguments, scope)
    if scope is not Scope.CONTEXT:
        names = path.split(".")
        return Expression(lambda data: follow(data, names, default.value))
    return constant(site.flag_key) if path == _FLAG_KEY else _read_attribute(path, default.value)


def _look_up_freely(arguments: Sequence[Expression], scope: Scope) -> Expression:
    """A key that is computed, an index, or all data. More than a default is a mistake that fails when reached."""
    if scope is Scope.CONTEXT:
        raise WholeDataNeededError
    runs = [argument.run for argument in arguments]
    return Expression(lambda data: look_up(data, *[run(data) for run in runs]))


def _read_attribute(path: str, default: object) -> Expression:
    first, *rest = path.split(".")
    if first == FLAGD:
        raise WholeDataNeededError
    if first == TARGETING_KEY:
        return _read_targeting_key(rest, default)
    if rest:
        return Expression(lambda context: follow(context.attributes.get(first), rest, default))
    if default is None:
        return Expression(lambda context: context.attributes.get(first), attribute=first)

    def read(context: Context) -> object:
        value = context.attributes.get(first)
        return default if value is None else value

    return Expression(read)


def _read_targeting_key(rest: Sequence[str], default: object) -> Expression:
    if rest:
        return Expression(lambda context: follow(context.targeting_key, rest, default))
    if default is None:
        return Expression(lambda context: context.targeting_key, reads_key=True)
    return Expression(lambda context: default if context.targeting_key is None else context.targeting_key)


def find_missing(data: object, *keys: object) -> list[object]:
    """Those of the keys that lead to nothing, null or an empty text; the first may be a list of them."""
    wanted = keys[0] if keys and isinstance(keys[0], list) else keys
    return [key for key in wanted if look_up(data, key) in (None, "")]


def find_missing_of_some(data: object, needed: object = 0, keys: object = None, *_: object) -> list[object]:
    """None where at least `needed` of the keys are there, otherwise those that are not."""
    if not isinstance(keys, list):
        return []
    enough = to_number(needed)
    missing = find_missing(data, keys)
    return [] if len(keys) - len(missing) >= enough else missing


def _compile_search(
    search: Callable[..., list[object]], arguments: Sequence[Expression], scope: Scope, _: Site
) -> Expression:
    if scope is Scope.CONTEXT:
        raise WholeDataNeededError
    runs = [argument.run for argument in arguments]
    return Expression(lambda data: search(data, *[run(data) for run in runs]), is_list=True)


def _compile_fractional(arguments: Sequence[Expression], scope: Scope, site: Site) -> Expression:
    if not arguments:
        return constant(None)
    by_key = arguments[0].is_list
    fractions = arguments if by_key else arguments[1:]
    if scope is Scope.ITEM or not all(fraction.is_constant for fraction in fractions):
        return Expression(_choose_freely(arguments, scope, site.flag_key))
    weights = read_weights([fraction.value for fraction in fractions])
    if by_key:
        return constant(None) if weights is None else _split_by_key(*weights, scope, site.flag_key)
    return _split_by_value(arguments, weights, scope, site.flag_key)


def _split_by_key(variants: Sequence[object], ends: Sequence[int], scope: Scope, flag_key: str) -> Expression:
    def bind(outcomes: Sequence[Any], nothing: Any) -> Run:
        if scope is Scope.CONTEXT:
            return split_by_pair(flag_key, ends, outcomes, nothing)
        return lambda data: choose_outcome(hash_pair(flag_key, data[TARGETING_KEY]), ends, outcomes, nothing)

    return Expression(bind(variants, None), split=Fractional(variants, bind))


def _split_by_value(
    arguments: Sequence[Expression], weights: tuple[list[object], list[int]] | None, scope: Scope, flag_key: str
) -> Expression:
    """By what the first argument gives, unless that is a list: then it is a fraction itself."""
    read, freely = arguments[0].run, _choose_freely(arguments, scope, flag_key)
    variants, ends = weights or ([], [])

    def run(scope: object) -> object:
        value = read(scope)
        if isinstance(value, (list, tuple)):
            return freely(scope)
        return choose_outcome(hash_value(value), ends, variants, None)

    return Expression(run)


def _choose_freely(arguments: Sequence[Expression], scope: Scope, flag_key: str) -> Run:
    runs = [argument.run for argument in arguments]
    if scope is Scope.CONTEXT:
        return lambda context: _choose(context.targeting_key, flag_key, [run(context) for run in runs])

    def choose(data: Any) -> object:
        values = [run(data) for run in runs]
        if not isinstance(values[0], (list, tuple)):
            return _choose(None, "", values)
        key = data.get(TARGETING_KEY)  # fails for an item that is no object, as in flagd
        if not isinstance(key, str) or not key:
            return None
        return _choose(key, data.get(FLAGD, {}).get("flagKey", ""), values)

    return choose


def _choose(targeting_key: object, flag_key: object, values: Sequence[object]) -> object:
    first, *rest = values
    if not isinstance(first, (list, tuple)):
        bucket, values = hash_value(first), rest
    elif isinstance(targeting_key, str) and targeting_key:
        bucket = hash_value([flag_key, targeting_key])
    else:
        bucket = None
    return None if bucket is None else choose_variant(bucket, values)


SCOPED: Final[dict[str, Callable[[Sequence[Expression], Scope, Site], Expression]]] = {
    "var": _compile_var,
    "missing": partial(_compile_search, find_missing),
    "missing_some": partial(_compile_search, find_missing_of_some),
    "fractional": _compile_fractional,
}
