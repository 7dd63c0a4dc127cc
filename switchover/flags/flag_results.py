"""All the answers that one flag can give, each made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from switchover.flags.resolution import CALLERS_DEFAULT, ErrorCode, Metadata, Reason, Resolution


@dataclass(slots=True)
class FlagResults:
    """The answers of one flag, made when the compiler asks for them; `made` has all of them."""

    key: str
    variants: Mapping[str, Any]
    default_variant: str | None
    metadata: Metadata
    experiment: bool
    made: dict[tuple[object, ...], Resolution] = field(default_factory=dict)

    def of_variant(self, rule: int, variant: str) -> Resolution:
        """What a rule gives that names `variant`: an error where the flag has no such variant, or its value is null."""
        value = self.variants.get(variant)
        if value is None:
            return self.failure(ErrorCode.GENERAL, "the targeting names a variant that the flag does not have")
        return self._remember(Reason.TARGETING_MATCH, value, variant, rule)

    def of_result(self, rule: int, result: object) -> Resolution:
        """What a rule gives whose JsonLogic gave `result`. Raises ValueError for a number too long to be written."""
        if result is None:
            return self.default(Reason.DEFAULT)
        if isinstance(result, bool):
            return self.of_variant(rule, "true" if result else "false")
        return self.of_variant(rule, result if isinstance(result, str) else str(result))

    def reader(self, rule: int) -> Callable[[object], Resolution]:
        """What turns any result of the rule into an answer without making one."""
        known = {variant: self.of_variant(rule, variant) for variant in self.variants}
        default = self.default(Reason.DEFAULT)
        unknown = self.failure(ErrorCode.GENERAL, "the targeting names a variant that the flag does not have")

        def read(result: object) -> Resolution:
            if result.__class__ is str:
                return known.get(result, unknown)
            if result is None:
                return default
            if isinstance(result, bool):
                return known.get("true" if result else "false", unknown)
            return known.get(result if isinstance(result, str) else str(result), unknown)

        return read

    def default(self, reason: Reason) -> Resolution:
        """The default variant, or the caller's default where there is none."""
        variant = self.default_variant
        if variant is None:
            return self._remember(Reason.DEFAULT, CALLERS_DEFAULT, None)
        if variant not in self.variants:
            return self.failure(ErrorCode.GENERAL, "the flag does not have the variant that it names as default")
        return self._remember(reason, self.variants[variant], variant)

    def prerequisite_failed(self, off: str | None) -> Resolution:
        """The flag's off variant, or its default, or the caller's where there is neither."""
        variant = off if off is not None else self.default_variant
        if variant is None or variant not in self.variants:
            return self._remember(Reason.PREREQUISITE_FAILED, CALLERS_DEFAULT, None)
        return self._remember(Reason.PREREQUISITE_FAILED, self.variants[variant], variant)

    def disabled(self) -> Resolution:
        """The caller's default."""
        return self._remember(Reason.DISABLED, CALLERS_DEFAULT, None)

    def failure(self, code: ErrorCode, message: str) -> Resolution:
        """The caller's default, and what is wrong."""
        return self._remember(Reason.ERROR, CALLERS_DEFAULT, None, code=code, message=message)

    def _remember(
        self,
        reason: Reason,
        value: object,
        variant: str | None,
        rule: int | None = None,
        code: ErrorCode | None = None,
        message: str | None = None,
    ) -> Resolution:
        name = (reason, variant, rule, message)
        made = self.made.get(name)
        if made is None:
            made = Resolution(
                flag=self.key,
                value=value,
                variant=variant,
                reason=reason,
                rule=rule,
                error_code=code,
                error_message=message,
                metadata=self.metadata,
                experiment=self.experiment,
            )
            self.made[name] = made
        return made
