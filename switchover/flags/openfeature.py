"""The flags through OpenFeature: `openfeature.api.set_provider(SwitchoverProvider(open_client(place)))`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode as SdkErrorCode
from openfeature.exception import ProviderNotReadyError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.flag_evaluation import Reason as SdkReason
from openfeature.hook import Hook
from openfeature.provider import AbstractProvider, FeatureProvider, Metadata
from openfeature.track import TrackingEventDetails

from switchover.flags.client import Client
from switchover.flags.context import NOBODY, Context
from switchover.flags.openfeature_events import EventBridge
from switchover.flags.resolution import CALLERS_DEFAULT, ErrorCode, Reason, Resolution
from switchover.flags.typed import MISFIT, Fit, fit_boolean, fit_float, fit_integer, fit_text, own

Tree: TypeAlias = Sequence[FlagValueType] | Mapping[str, FlagValueType]

_METADATA: Final = Metadata(name="switchover")
_NO_HOOKS: Final[list[Hook]] = []
# What OpenFeature has no word for (a failed prerequisite) stays a plain string, which its specification allows.
_REASONS: Final[Mapping[Reason, SdkReason | str]] = {
    reason: SdkReason(reason.value) if reason in SdkReason.__members__ else reason.value for reason in Reason
}
_ERROR_CODES: Final[Mapping[ErrorCode, SdkErrorCode]] = {code: SdkErrorCode(code.value) for code in ErrorCode}


class SwitchoverProvider(AbstractProvider):
    """Answers from a client's flag set: no call waits for anything, and the coroutines never suspend.

    Registering it waits for the first set at most `wait_seconds` (in a thread of the SDK's, unless the application
    calls `set_provider_and_wait`). When there is none by then the provider is in ERROR, serves the callers' defaults,
    and becomes READY by itself as soon as a set arrives. The client belongs to the application, which closes it;
    with `owns_client` it is closed when the provider is shut down.

    An integer is never a boolean, and a number is converted only where nothing is lost: 1 to 1.0, 10.0 to 10.
    """

    def __init__(self, client: Client, *, wait_seconds: float = 2.0, owns_client: bool = False) -> None:
        super().__init__()
        self._client = client
        self._ask = client.resolve
        self._wait_seconds = wait_seconds
        self._owns_client = owns_client
        self._events = EventBridge(self, client)

    def get_metadata(self) -> Metadata:
        """The provider's name."""
        return _METADATA

    def get_provider_hooks(self) -> list[Hook]:
        """None."""
        return _NO_HOOKS

    def attach(self, on_emit: Callable[[FeatureProvider, ProviderEvent, ProviderEventDetails], None]) -> None:
        """Take the SDK's way for events, when the provider is registered."""
        super().attach(on_emit)
        self._events.open()

    def initialize(self, evaluation_context: EvaluationContext) -> None:  # noqa: ARG002 - flags need no common context
        """Wait for the first set, `wait_seconds` at most. Raises the SDK's `ProviderNotReadyError` without one."""
        ready = self._client.wait_ready(self._wait_seconds)
        self._events.start()
        if not ready:
            msg = f"no flag set within {self._wait_seconds:g} s; callers get their defaults until one arrives"
            raise ProviderNotReadyError(msg)

    def shutdown(self) -> None:
        """End the events. May be followed by another `initialize`, unless the client is owned and so is closed."""
        self._events.stop()
        if self._owns_client:
            self._client.close()

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        """Count an event that experiments are judged by; of its details the value counts."""
        found = evaluation_context
        context = NOBODY if found is None else Context(found.targeting_key, found.attributes)
        value = None if tracking_event_details is None else tracking_event_details.value
        self._client.track(tracking_event_name, context, value)

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,  # noqa: FBT001 - the SDK's signature
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """True or False."""
        return self._resolve(flag_key, default_value, evaluation_context, fit_boolean)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """A text."""
        return self._resolve(flag_key, default_value, evaluation_context, fit_text)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """A whole number."""
        return self._resolve(flag_key, default_value, evaluation_context, fit_integer)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """A number."""
        # The SDK refuses a default that is a whole number, and Python's own types allow it.
        default = float(default_value) if type(default_value) is int else default_value
        return self._resolve(flag_key, default, evaluation_context, fit_float)

    def resolve_object_details(
        self, flag_key: str, default_value: Tree, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Tree]:
        """An object or a list; a fresh one each time, for it may be changed."""
        return self._resolve(flag_key, default_value, evaluation_context, _fit_tree)

    def _resolve(
        self, key: str, default: Any, context: EvaluationContext | None, fit: Fit
    ) -> FlagResolutionDetails[Any]:
        """Errors are returned: the SDK treats that like raising them.

        Each call gets a new object, since its fields can be assigned to; only the read-only metadata are shared.
        """
        # The SDK has just merged this context for this one call, so its attributes need no copy.
        asker = NOBODY if context is None else Context(context.targeting_key, context.attributes)
        resolution = self._ask(key, asker)
        value = resolution.value
        if resolution.error_code is not None:
            code = _ERROR_CODES[resolution.error_code]
            return _fail(default, code, f"flag {key}: {resolution.error_message}", resolution)
        if value is CALLERS_DEFAULT:
            value = default
        else:
            value = fit(value)
            if value is MISFIT:
                found = f"flag {key}: its value is of another type ({type(resolution.value).__name__})"
                return _fail(default, SdkErrorCode.TYPE_MISMATCH, found, resolution)
        return FlagResolutionDetails(
            value, None, None, _REASONS[resolution.reason], resolution.variant, resolution.metadata
        )


def _fail(default: Any, code: SdkErrorCode, message: str, resolution: Resolution) -> FlagResolutionDetails[Any]:
    return FlagResolutionDetails(default, code, message, SdkReason.ERROR, None, resolution.metadata)


def _fit_tree(value: object) -> Any:
    """What OpenFeature calls an object: a JSON object or a list."""
    return own(value) if isinstance(value, Mapping | list) else MISFIT
