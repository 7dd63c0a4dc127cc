"""One flag's JSON becomes a compiled flag, or one that answers what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from switchover.flags.additions import EXPERIMENT, KILL, PREREQUISITES, off_variant, read_prerequisites
from switchover.flags.compile_targeting import compile_targeting
from switchover.flags.evaluators import Expansion, find_references
from switchover.flags.flag_results import FlagResults
from switchover.flags.flag_set import Answer
from switchover.flags.fresh_stack import on_fresh_stack
from switchover.flags.json_values import MAX_DEPTH, is_json
from switchover.flags.resolution import ErrorCode, Metadata, Reason, Resolution
from switchover.flags.rule_site import RuleTooLargeError

_FIELDS = frozenset(
    {"state", "variants", "defaultVariant", "default_variant", "targeting", "metadata", "source", "selector"}
)


class BrokenFlagError(Exception):
    """The JSON is no flag: why, and how flagd calls that."""

    def __init__(self, why: str, code: ErrorCode = ErrorCode.PARSE_ERROR) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the flags of a set share; `clock` tells the seconds since 1970 that `$flagd.timestamp` is."""

    evaluators: Mapping[str, object]
    metadata: Metadata
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Draft:
    """A flag that answers, before its prerequisites are looked at."""

    results: FlagResults
    answer: Answer
    prerequisites: Mapping[str, str] = field(default_factory=dict)
    off: str | None = None


def compile_flag(key: str, definition: object, around: Surroundings) -> Draft:
    """Compile one flag: a broken one answers an error. Raises only where not even a thread can be started."""
    try:
        return _compile_here(key, definition, around)
    except RecursionError:
        pass
    # That may be the depth of whoever has asked first, which must not decide what the flag is.
    try:
        return on_fresh_stack(lambda: _compile_here(key, definition, around))
    except RecursionError:
        return broken(key, around.metadata, ErrorCode.GENERAL, "the flag is nested too deeply")


def _compile_here(key: str, definition: object, around: Surroundings) -> Draft:
    set_metadata = around.metadata
    try:
        if around.evaluators and any(name in around.evaluators for name in find_references(definition)):
            definition = Expansion(around.evaluators).expand(definition)
        return _compile(key, definition, set_metadata, around.clock)
    except BrokenFlagError as problem:
        return broken(key, set_metadata, problem.code, str(problem))
    except RuleTooLargeError:
        return broken(key, set_metadata, ErrorCode.PARSE_ERROR, "the targeting is too large")
    except RecursionError:
        raise
    except Exception as problem:  # noqa: BLE001 - no set takes a process down
        return broken(key, set_metadata, ErrorCode.GENERAL, f"the flag cannot be compiled: {type(problem).__name__}")


def broken(key: str, metadata: Metadata, code: ErrorCode, message: str) -> Draft:
    """A flag that always answers an error."""
    results = FlagResults(key, {}, None, metadata, experiment=False)
    failed = results.failure(code, message)
    return _answer_always(results, failed)


def _compile(key: str, definition: object, set_metadata: Metadata, clock: Callable[[], float]) -> Draft:
    flag = _read_flag(definition)
    variants, metadata = flag["variants"], _read_metadata(flag.get("metadata"))
    results = FlagResults(
        key,
        variants,
        _read_default_variant(flag),
        MappingProxyType({**set_metadata, **metadata}),
        experiment=metadata.get(EXPERIMENT) is True,
    )
    if flag["state"] == "DISABLED":
        return _answer_always(results, results.disabled())
    if KILL in metadata:
        # A kill wins over whatever other flags serve.
        return Draft(results, _compile_answer(flag.get("targeting"), results, clock))
    prerequisites = _read_wanted(metadata)
    return Draft(results, _compile_answer(flag.get("targeting"), results, clock), prerequisites, off_variant(flag))


def _answer_always(results: FlagResults, fixed: Resolution) -> Draft:
    return Draft(results, lambda _context: fixed)


def _compile_answer(targeting: object, results: FlagResults, clock: Callable[[], float]) -> Answer:
    if targeting and isinstance(targeting, dict):
        return compile_targeting(targeting, results, clock)
    if targeting:
        fixed = results.failure(ErrorCode.PARSE_ERROR, "the targeting is no object")
    else:
        fixed = results.default(Reason.STATIC)
    return lambda _context: fixed


def _read_flag(definition: object) -> dict[str, Any]:
    if not isinstance(definition, dict):
        raise BrokenFlagError("the flag is no object")
    unknown = sorted(map(str, definition.keys() - _FIELDS))
    if unknown:
        raise BrokenFlagError(f"the flag has unknown members: {', '.join(unknown)}")
    if definition.get("state") not in ("ENABLED", "DISABLED"):
        raise BrokenFlagError("the state is neither ENABLED nor DISABLED")
    if not isinstance(definition.get("variants"), dict) or not definition["variants"]:
        raise BrokenFlagError("the flag has no variants")
    if not is_json(definition["variants"]):
        raise BrokenFlagError(f"a variant has more than {MAX_DEPTH} levels, or something that is not of JSON")
    return definition


def _read_default_variant(flag: Mapping[str, object]) -> str | None:
    """The default's name; None where there is none. flagd's other evaluators also know the second spelling."""
    name = flag.get("defaultVariant", flag.get("default_variant"))
    if isinstance(name, bool):
        return "true" if name else "false"
    if name and not isinstance(name, str):
        raise BrokenFlagError("the default variant is no text")
    return name if name and isinstance(name, str) else None


def _read_metadata(metadata: object) -> dict[str, Any]:
    if metadata is None:
        return {}
    if not isinstance(metadata, dict) or not all(map(is_metadata, metadata, metadata.values())):
        code = ErrorCode.PARSE_ERROR if metadata else ErrorCode.GENERAL
        raise BrokenFlagError("the metadata are no object of texts, numbers and truths", code)
    return metadata


def is_metadata(name: object, value: object) -> bool:
    """Whether flagd allows this as a member of metadata."""
    return name != "" and is_json({name: value}) and isinstance(value, (str, int, float))


def _read_wanted(metadata: Mapping[str, object]) -> Mapping[str, str]:
    if PREREQUISITES not in metadata:
        return {}
    wanted = read_prerequisites(metadata[PREREQUISITES])
    if wanted is None:
        raise BrokenFlagError("the prerequisites are no object of flags and their variants")
    return wanted
