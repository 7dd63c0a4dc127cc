"""LaunchDarkly's own answers in our words. The SDK evaluates; nothing here looks at a rule."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from ldclient import Context as SdkContext
from ldclient import LDClient
from ldclient.evaluation import EvaluationDetail

from switchover.flags.context import Context
from switchover.flags.flag_set import CompiledFlag
from switchover.flags.resolution import CALLERS_DEFAULT, ErrorCode, Reason, Resolution

_REASONS: Final[Mapping[str, Reason]] = {
    "OFF": Reason.DISABLED,
    "FALLTHROUGH": Reason.DEFAULT,
    "TARGET_MATCH": Reason.TARGETING_MATCH,
    "RULE_MATCH": Reason.TARGETING_MATCH,
    "PREREQUISITE_FAILED": Reason.PREREQUISITE_FAILED,
}
_ERRORS: Final[Mapping[str, tuple[ErrorCode, str]]] = {
    "CLIENT_NOT_READY": (ErrorCode.PROVIDER_NOT_READY, "LaunchDarkly has sent no flags yet"),
    "FLAG_NOT_FOUND": (ErrorCode.FLAG_NOT_FOUND, "LaunchDarkly has no such flag"),
    "MALFORMED_FLAG": (ErrorCode.PARSE_ERROR, "LaunchDarkly cannot read the flag's definition"),
    "USER_NOT_SPECIFIED": (ErrorCode.INVALID_CONTEXT, "LaunchDarkly refuses the context"),
    "WRONG_TYPE": (ErrorCode.TYPE_MISMATCH, "the flag has a value of another type"),
}
_UNKNOWN_ERROR: Final = (ErrorCode.GENERAL, "LaunchDarkly's SDK could not evaluate the flag")
_NO_KEY: Final = (ErrorCode.TARGETING_KEY_MISSING, "LaunchDarkly needs a targeting key")
_BAD_KEY: Final = (ErrorCode.INVALID_CONTEXT, "the targeting key is not a text")

# How the SDK tells answers of a flag apart: the variation's index and the parts of its reason.
_Mark: TypeAlias = tuple[int | None, str, int | None, str | None, bool]


class SdkFlag:
    """One flag as it is defined now, with all the answers that this definition can give, each made once.

    `definition` is its JSON as LaunchDarkly sends it.
    """

    __slots__ = ("_bad_key", "_failures", "_key", "_known", "_no_key", "_sdk", "_unknown")

    def __init__(self, sdk: LDClient, key: str, definition: Mapping[str, Any]) -> None:
        self._sdk = sdk
        self._key = key
        self._known = {mark: _resolve(key, definition, mark) for mark in dict.fromkeys(_list_marks(definition))}
        self._no_key, self._bad_key, self._unknown = (_fail(key, *each) for each in (_NO_KEY, _BAD_KEY, _UNKNOWN_ERROR))
        self._failures = {kind: _fail(key, *error) for kind, error in _ERRORS.items()}

    def compiled(self) -> CompiledFlag:
        """The flag for a set."""
        failures = (self._no_key, self._bad_key, self._unknown, *self._failures.values())
        return CompiledFlag(self._key, self.answer, (*self._known.values(), *failures))

    def answer(self, context: Context) -> Resolution:
        """Ask the SDK, which also counts the evaluation for LaunchDarkly."""
        try:
            asked = sdk_context(context)
            if asked is None:
                return self._bad_key if context.targeting_key else self._no_key
            return self.find(self._sdk.variation_detail(self._key, asked, None))
        except Exception:  # noqa: BLE001 - an SDK, or a context, that raises is an error of this answer
            return self._unknown

    def find(self, detail: EvaluationDetail) -> Resolution:
        """The SDK's answer in our words."""
        reason = detail.reason
        if reason.get("kind") == "ERROR":
            return self._failures.get(reason.get("errorKind", ""), self._unknown)
        mark = _mark(detail)
        found = self._known.get(mark)
        # The definition may have changed a moment ago: then the SDK is right, and nobody counts this one answer.
        return found if found is not None and _is_value_of(found, detail) else _resolve_anew(self._key, detail, mark)


def answer_all(sdk: LDClient, flags: Mapping[str, SdkFlag], context: Context) -> dict[str, Resolution]:
    """All flags by one call of the SDK, which LaunchDarkly does not count as evaluations.

    Raises `ValueError` when the SDK refuses, and what the SDK raises.
    """
    asked = sdk_context(context)
    if asked is None:
        return {key: flag.answer(context) for key, flag in flags.items()}
    said = sdk.all_flags_state(asked, with_reasons=True).to_json_dict()
    if not said.get("$valid"):
        msg = "the SDK has no valid state for this context"
        raise ValueError(msg)
    about = said["$flagsState"]
    return {
        key: flag.find(EvaluationDetail(said[key], about[key].get("variation"), about[key].get("reason") or {}))
        for key, flag in flags.items()
        if key in about
    }


def sdk_context(context: Context) -> SdkContext | None:
    """The context for the SDK; None without a key.

    It is of the kind `user` unless the attribute `kind` names another. One that cannot be a kind of LaunchDarkly's is
    a matter of the application's own, which LaunchDarkly has no room for: it is left out.
    """
    key = context.targeting_key
    if not isinstance(key, str) or not key:
        return None
    built = _build_context(key, context.attributes, {"key"})
    return built if built.valid else _build_context(key, context.attributes, {"key", "kind"})


def _build_context(key: str, attributes: Mapping[str, object], left_out: Collection[str]) -> SdkContext:
    builder = SdkContext.builder(key)
    for name, value in attributes.items():
        if isinstance(name, str) and name not in left_out:
            builder.try_set(name, value)
    return builder.build()


def _mark(detail: EvaluationDetail) -> _Mark:
    reason = detail.reason
    return (
        detail.variation_index,
        reason.get("kind", ""),
        reason.get("ruleIndex"),
        reason.get("prerequisiteKey"),
        bool(reason.get("inExperiment")),
    )


def _list_marks(flag: Mapping[str, Any]) -> Iterator[_Mark]:
    """All answers that this definition can give."""
    off = flag.get("offVariation")
    yield off, "OFF", None, None, False
    for prerequisite in flag.get("prerequisites") or ():
        yield off, "PREREQUISITE_FAILED", None, prerequisite.get("key"), False
    for target in (*(flag.get("targets") or ()), *(flag.get("contextTargets") or ())):
        yield target.get("variation"), "TARGET_MATCH", None, None, False
    for index, rule in enumerate(flag.get("rules") or ()):
        yield from _list_served(rule, "RULE_MATCH", index)
    yield from _list_served(flag.get("fallthrough") or {}, "FALLTHROUGH", None)


def _list_served(branch: Mapping[str, Any], kind: str, index: int | None) -> Iterator[_Mark]:
    if branch.get("variation") is not None:
        yield branch["variation"], kind, index, None, False
    weighed = (branch.get("rollout") or {}).get("variations") or ()
    for share, in_experiment in itertools.product(weighed, (False, True)):
        yield share.get("variation"), kind, index, None, in_experiment


def _resolve(key: str, flag: Mapping[str, Any], mark: _Mark) -> Resolution:
    """The resolution behind a mark, as the definition has it."""
    variations: Sequence[object] = flag.get("variations") or ()
    variation = mark[0]
    is_there = variation is not None and 0 <= variation < len(variations)
    value = variations[variation] if variation is not None and is_there else CALLERS_DEFAULT
    return _build(
        key, value, mark, is_split=mark[1] == "FALLTHROUGH" and bool((flag.get("fallthrough") or {}).get("rollout"))
    )


def _resolve_anew(key: str, detail: EvaluationDetail, mark: _Mark) -> Resolution:
    return _build(key, CALLERS_DEFAULT if detail.variation_index is None else detail.value, mark, is_split=False)


def _build(key: str, value: object, mark: _Mark, *, is_split: bool) -> Resolution:
    variation, kind, rule, prerequisite, in_experiment = mark
    said: dict[str, bool | int | float | str] = {"launchdarkly.inExperiment": True} if in_experiment else {}
    if prerequisite is not None:
        said["launchdarkly.prerequisite"] = prerequisite
    reason = Reason.SPLIT if is_split else _REASONS.get(kind, Reason.DEFAULT)
    # The SDK is sent no names of variations: the index is the name.
    return Resolution(key, value, None if variation is None else str(variation), reason, rule, metadata=said)


def _is_value_of(resolution: Resolution, detail: EvaluationDetail) -> bool:
    if detail.variation_index is None:
        return resolution.value is CALLERS_DEFAULT
    value = detail.value
    return resolution.value is value or (type(resolution.value) is type(value) and resolution.value == value)


def _fail(key: str, code: ErrorCode, message: str) -> Resolution:
    return Resolution(key, CALLERS_DEFAULT, None, Reason.ERROR, error_code=code, error_message=message)
