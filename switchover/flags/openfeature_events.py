"""What happens to the flag set, told to OpenFeature as its provider events."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Final

from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode
from openfeature.provider import AbstractProvider, ProviderStatus
from openfeature.provider._registry import provider_registry

from switchover.flags.client import Client
from switchover.flags.events import Event, EventKind
from switchover.flags.status import State

_EVENTS: Final = {
    EventKind.READY: ProviderEvent.PROVIDER_READY,
    EventKind.STALE: ProviderEvent.PROVIDER_STALE,
    EventKind.CHANGED: ProviderEvent.PROVIDER_CONFIGURATION_CHANGED,
    EventKind.ERROR: ProviderEvent.PROVIDER_ERROR,
}
# What the SDK takes the provider for, and which event of ours corrects it.
_EVENT_OF_STATE: Final = {State.READY: EventKind.READY, State.STALE: EventKind.STALE, State.ERROR: EventKind.ERROR}
_STATE_OF_STATUS: Final = {
    ProviderStatus.READY: State.READY,
    ProviderStatus.STALE: State.STALE,
    ProviderStatus.ERROR: State.ERROR,
}
_LOOK_AGAIN_SECONDS: Final = 0.005
_LONGEST_REGISTRATION_SECONDS: Final = 10.0


class EventBridge:
    """Passes a client's events on to the SDK from the end of the provider's registration until `stop`.

    The SDK sets the provider's status itself when `initialize` has returned or raised. An event in that moment would
    be overwritten, so what happens until then is held back, and where the client is by then in another state than
    the SDK takes it for, that state is told.
    """

    def __init__(self, provider: AbstractProvider, client: Client) -> None:
        self._provider = provider
        self._client = client
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._unsubscribe: Callable[[], None] | None = None
        self._held: list[Event] | None = None
        self._is_stopped = False

    def open(self) -> None:
        """Called when the provider is registered, before `initialize`."""
        self._notice_fork()
        with self._lock:
            self._is_stopped = False

    def start(self) -> None:
        """Called at the end of `initialize`; that may be after the `stop` of a provider that was replaced."""
        self._notice_fork()
        with self._lock:
            if self._is_stopped or self._unsubscribe is not None:
                return
            self._held = []
            self._unsubscribe = self._client.subscribe(self._take)
        threading.Thread(target=self._settle, name="switchover-openfeature", daemon=True).start()

    def stop(self) -> None:
        """No event from now on, until `open`."""
        self._notice_fork()
        with self._lock:
            self._is_stopped = True
            unsubscribe, self._unsubscribe, self._held = self._unsubscribe, None, None
        if unsubscribe is not None:
            unsubscribe()

    def _take(self, event: Event) -> None:
        self._notice_fork()
        with self._lock:
            if self._held is not None:
                self._held.append(event)
            elif self._unsubscribe is not None:
                self._tell(event)

    def _notice_fork(self) -> None:
        if self._pid != os.getpid():
            # In a forked child nobody will let go of the lock, nor settle what the parent began.
            self._pid, self._lock, self._held = os.getpid(), threading.Lock(), None

    def _settle(self) -> None:
        deadline = time.monotonic() + _LONGEST_REGISTRATION_SECONDS
        while self._believed() is None and self._held is not None and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN_SECONDS)
        with self._lock:
            held, self._held = self._held, None
            if held is None:
                return
            for event in held:
                if event.kind is EventKind.CHANGED:
                    self._tell(event)
            status = self._client.status
            correction = _EVENT_OF_STATE.get(status.state)
            if correction is not None and self._believed() is not status.state:
                self._tell(Event(correction, status.version, why=status.why))

    def _believed(self) -> State | None:
        return _STATE_OF_STATUS.get(provider_registry.get_provider_status(self._provider))

    def _tell(self, event: Event) -> None:
        details = ProviderEventDetails(
            flags_changed=list(event.keys) if event.kind is EventKind.CHANGED else None,
            message=event.why or None,
            error_code=ErrorCode.GENERAL if event.kind is EventKind.ERROR else None,
            metadata={"version": event.version},
        )
        self._provider.emit(_EVENTS[event.kind], details)
