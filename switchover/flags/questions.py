"""The calls of a client. None of them waits, locks or raises for what a store, a rule or a context does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar, overload

from switchover.flags.asking import Asker, no_context, read_context, split, unanswered
from switchover.flags.complaints import Complaints
from switchover.flags.context import NOBODY, Context
from switchover.flags.flag_set import Answer, FlagSet
from switchover.flags.ports import Recorder
from switchover.flags.resolution import CALLERS_DEFAULT, Detail, ErrorCode, Metadata, Resolution
from switchover.flags.typed import MISFIT, TREES, detail_of, fit_anything, fit_boolean, fit_for

T = TypeVar("T")


class Questions:
    """Answers from one flag set, which is replaced whole by assigning `_answers`.

    `context` may be a `Context` (the fastest), a targeting key, or a mapping with `targetingKey`. Whoever gets
    `..._detail` sees why a value is the one it is; the plain call gives the same value.
    """

    _flag_set: FlagSet
    _answers: Mapping[str, Answer]
    _has_set: bool
    _recorder: Recorder | None
    _complaints: Complaints

    def is_enabled(self, key: str, context: Asker = NOBODY, *, default: bool = False) -> bool:
        """Whether the flag is on; `default` where it is unknown, disabled, broken or not a boolean."""
        # `resolve`, written out: this call is on the path of every request.
        if context.__class__ is not Context:
            return self._truth(self.resolve(key, context), default)
        try:
            resolution = self._answers[key](context)
        except Exception as error:  # noqa: BLE001 - no call raises
            return self._truth(self._failed(key, error), default)
        resolution.count()
        if resolution.experiment:
            self._expose(resolution, context)
        value = resolution.value
        return value if value is True or value is False else default

    def is_enabled_detail(self, key: str, context: Asker = NOBODY, *, default: bool = False) -> Detail:
        """`is_enabled`, with the variant and the reason."""
        return detail_of(self.resolve(key, context), default, fit_boolean)

    @overload
    def get_value(self, key: str, default: bool, context: Asker = ...) -> bool: ...  # noqa: FBT001 - a value
    @overload
    def get_value(self, key: str, default: int, context: Asker = ...) -> int: ...
    @overload
    def get_value(self, key: str, default: float, context: Asker = ...) -> float: ...
    @overload
    def get_value(self, key: str, default: str, context: Asker = ...) -> str: ...
    @overload
    def get_value(self, key: str, default: list[T], context: Asker = ...) -> list[T]: ...
    @overload
    def get_value(self, key: str, default: Mapping[str, T], context: Asker = ...) -> Mapping[str, T]: ...
    @overload
    def get_value(self, key: str, default: None, context: Asker = ...) -> object: ...
    def get_value(self, key: str, default: object, context: Asker = NOBODY) -> object:
        """The flag's value if it is of `default`'s type, else `default`. With None any type will do."""
        value = self.resolve(key, context).value
        kind = value.__class__
        if kind is default.__class__ and kind not in TREES:
            return value
        if value is CALLERS_DEFAULT:
            return default
        fitted = fit_for(default)(value)
        return default if fitted is MISFIT else fitted

    def get_value_detail(self, key: str, default: object, context: Asker = NOBODY) -> Detail:
        """`get_value`, with the variant and the reason."""
        return detail_of(self.resolve(key, context), default, fit_for(default))

    @overload
    def variant(self, key: str, context: Asker = ..., *, default: str) -> str: ...
    @overload
    def variant(self, key: str, context: Asker = ..., *, default: None = ...) -> str | None: ...
    def variant(self, key: str, context: Asker = NOBODY, *, default: str | None = None) -> str | None:
        """The name of the variant that is served; `default` where the flag serves none."""
        resolution = self.resolve(key, context)
        return default if resolution.variant is None else resolution.variant

    def variant_detail(self, key: str, context: Asker = NOBODY, *, default: str | None = None) -> Detail:
        """`variant` as `Detail.variant`, beside that variant's value."""
        detail = detail_of(self.resolve(key, context), None, fit_anything)
        return detail if detail.variant is not None or default is None else replace(detail, variant=default)

    def percentage(self, key: str, percent: float, context: Asker = NOBODY) -> bool:
        """Whether the context belongs to the first `percent` (0 to 100) of the buckets of `key`.

        A stored flag of that key decides instead where there is one, so that the percentage can be raised or the
        feature be killed without a deploy; off where it is disabled, broken or not a boolean, and where `percent` is
        no percentage.
        """
        return self._truth(self._share(key, percent, context), default=False)

    def percentage_detail(self, key: str, percent: float, context: Asker = NOBODY) -> Detail:
        """`percentage`, with the reason: SPLIT where no stored flag has decided."""
        return detail_of(self._share(key, percent, context), False, fit_boolean)  # noqa: FBT003 - the default

    def with_flag(
        self, key: str, on: Callable[[], T], off: Callable[[], T], context: Asker = NOBODY, *, default: bool = False
    ) -> T:
        """Call exactly one of the two, return what it returns and let pass what it raises."""
        return on() if self.is_enabled(key, context, default=default) else off()

    def with_flag_detail(
        self, key: str, on: Callable[[], T], off: Callable[[], T], context: Asker = NOBODY, *, default: bool = False
    ) -> tuple[T, Detail]:
        """`with_flag`, and why that one was called."""
        detail = self.is_enabled_detail(key, context, default=default)
        return (on() if detail.value else off()), detail

    def evaluate_all(self, context: Asker = NOBODY) -> dict[str, object]:
        """The values of all flags, from one version of the set. Flags without a value of their own are left out.

        Answers are counted. Exposures to experiments are not recorded, since nobody knows yet which of the values
        will be looked at.
        """
        asker = context if context.__class__ is Context else read_context(context)
        values: dict[str, object] = {}
        if asker is None:
            return values
        if self._flag_set.answer_all is not None:
            fitted = {each.flag: fit_anything(each.value) for each in self.resolve_all(asker)}
            return {key: value for key, value in fitted.items() if value is not MISFIT}
        for key, answer in self._answers.items():
            try:
                resolution = answer(asker)
            except Exception as error:  # noqa: BLE001 - no call raises, and the other flags are answered
                self._failed(key, error)
                continue
            resolution.count()
            value = fit_anything(resolution.value) if resolution.value.__class__ in TREES else resolution.value
            if value is not CALLERS_DEFAULT and value is not MISFIT:
                values[key] = value
        return values

    def evaluate_all_detail(self, context: Asker = NOBODY) -> dict[str, Detail]:
        """`evaluate_all` with variants and reasons. Flags without a value of their own are there, with None."""
        return {found.flag: detail_of(found, None, fit_anything) for found in self.resolve_all(context)}

    def resolve_all(self, context: Asker = NOBODY) -> list[Resolution]:
        """The resolutions of all flags, as `evaluate_all` finds them; what cannot be evaluated is one with an error."""
        answers, flag_set = self._answers, self._flag_set
        asker = context if isinstance(context, Context) else read_context(context)
        if asker is None:
            return [no_context(key, context) for key in answers]
        if flag_set.answer_all is not None and flag_set.answers is answers:
            try:
                together = flag_set.answer_all(asker)
            except Exception as error:  # noqa: BLE001 - no call raises, and there is another way
                self._complaints.about("evaluating all flags", error)
            else:
                for resolution in together.values():
                    resolution.count()
                return list(together.values())
        return [self._ask(answers, key, asker) for key in answers]

    @property
    def metadata(self) -> Metadata:
        """What the set says of itself."""
        return self._flag_set.metadata

    def resolve(self, key: str, context: Asker = NOBODY) -> Resolution:
        """The resolution as the set holds it, counted; `CALLERS_DEFAULT` as its value where it has none.

        What has a context's two attributes is taken as one: providers hand over their own. Values are not copied.
        """
        if context.__class__ is not Context:
            asker = read_context(context)
            if asker is None:
                return no_context(str(key), context)
            context = asker
        resolution = self._ask(self._answers, key, context)
        if resolution.experiment:
            self._expose(resolution, context)
        return resolution

    def track(self, event: str, context: Asker, value: float | None = None) -> None:
        """Say that something happened by which experiments are judged (a purchase, its amount)."""
        asker = read_context(context)
        if self._recorder is None or asker is None:
            return
        try:
            self._recorder.tracked(event, asker, value)
        except Exception as error:  # noqa: BLE001 - no call raises
            self._complaints.about("recording an event", error)

    def _ask(self, answers: Mapping[str, Answer], key: str, context: Context) -> Resolution:
        try:
            resolution = answers[key](context)
        except Exception as error:  # noqa: BLE001 - no call raises
            return self._failed(key, error)
        resolution.count()
        return resolution

    def _failed(self, key: str, error: Exception) -> Resolution:
        """No resolution came: mostly because there is no such flag."""
        if not isinstance(error, KeyError | TypeError) or _has(self._answers, key):
            self._complaints.about("evaluating a flag", error)
            return unanswered(str(key), ErrorCode.GENERAL, f"the flag failed with {type(error).__name__}")
        if not self._has_set:
            return unanswered(str(key), ErrorCode.PROVIDER_NOT_READY, "no flag set has come yet")
        return unanswered(str(key), ErrorCode.FLAG_NOT_FOUND, "no such flag", self._flag_set.metadata)

    def _share(self, key: str, percent: float, context: Asker) -> Resolution:
        asker = read_context(context)
        try:
            if key in self._answers:
                return self.resolve(key, context)
            return no_context(key, context) if asker is None else split(key, percent, asker)
        except Exception as error:  # noqa: BLE001 - no call raises
            return unanswered(str(key), ErrorCode.GENERAL, f"no percentage: {type(error).__name__}")

    def _expose(self, resolution: Resolution, context: Context) -> None:
        if self._recorder is None:
            return
        try:
            self._recorder.exposed(resolution, context)
        except Exception as error:  # noqa: BLE001 - no call raises
            self._complaints.about("recording an exposure", error)

    @staticmethod
    def _truth(resolution: Resolution, default: bool) -> bool:  # noqa: FBT001 - a value
        value = resolution.value
        return value if value is True or value is False else default


def _has(answers: Mapping[str, Answer], key: object) -> bool:
    try:
        return key in answers
    except Exception:  # noqa: BLE001 - what is no text may not even be hashable
        return False
