"""Notices what LaunchDarkly's SDK has received and how it is doing, and tells a listener."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from ldclient import LDClient
from ldclient.interfaces import DataSourceState, FeatureStore, FlagChange
from ldclient.versioned_data_kind import FEATURES

from switchover.flags.ports import Listener
from switchover.flags.snapshot import Json, Part, Snapshot

LINEAGE: Final = "launchdarkly"
PREFIX: Final = "flags/"

_LOOK_SECONDS: Final = 1.0
# As long as the SDK itself waits for its first flags.
_PATIENCE_SECONDS: Final = 5.0
_JOIN_SECONDS: Final = 5.0
_REFUSALS: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class Watch:
    """Looks at the SDK each second, and at once when it says that a flag has changed."""

    def __init__(self, sdk: LDClient, store: FeatureStore, listener: Listener) -> None:
        self._sdk = sdk
        self._store = store
        self._listener = listener
        self._affected: Counter[str] = Counter()
        self._parts: Mapping[Part, Json] | None = None
        self._seen: tuple[dict[str, Any], dict[str, int]] = {}, {}
        self._version = 0
        self._lost = False
        self._give_up_at = time.monotonic() + _PATIENCE_SECONDS
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._follow, name="switchover-launchdarkly", daemon=True)

    def start(self) -> None:
        """Begin, with what is there."""
        self._sdk.flag_tracker.add_listener(self._note)
        self._sdk.data_source_status_provider.add_listener(self._note)
        # A source that has its flags at hand (a file) is known before `start` returns.
        self._look()
        self._thread.start()

    def stop(self) -> None:
        """End and join the thread."""
        self._sdk.flag_tracker.remove_listener(self._note)
        self._sdk.data_source_status_provider.remove_listener(self._note)
        self._stopping = True
        self._wake.set()
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN_SECONDS)

    def _note(self, news: object) -> None:
        if isinstance(news, FlagChange):
            # A flag changes with the segments and prerequisites that it looks at, and keeps its own version.
            self._affected[news.key] += 1
        self._wake.set()

    def _follow(self) -> None:
        while not self._stopping:
            self._wake.wait(_LOOK_SECONDS)
            self._wake.clear()
            if not self._stopping:
                self._look()

    def _look(self) -> None:
        try:
            self._compare()
        except Exception as error:  # noqa: BLE001 - a persistent store of the SDK's raises what its database does
            self._lose(f"the SDK's store cannot be read: {type(error).__name__}")

    def _compare(self) -> None:
        status = self._sdk.data_source_status_provider.status
        if not self._sdk.is_initialized():
            if status.error is not None and status.error.status_code in _REFUSALS:
                self._lose("LaunchDarkly refuses the SDK key")
            elif status.state is DataSourceState.OFF:
                self._lose("the SDK has given up")
            elif time.monotonic() > self._give_up_at:
                self._lose("LaunchDarkly has not answered yet")
            return
        flags = dict(self._store.all(FEATURES, lambda items: items))
        if not self._are_seen(flags):
            parts = {PREFIX + key: self._describe(key, flag) for key, flag in flags.items()}
            if parts != self._parts:
                self._version += 1
                self._parts = parts
                self._listener.replace(Snapshot(self._version, LINEAGE, parts))
                self._lost = False
        if status.state in {DataSourceState.INTERRUPTED, DataSourceState.OFF}:
            self._lose("the connection to LaunchDarkly is interrupted")
        else:
            self._lost = False
            self._listener.confirm()

    def _are_seen(self, flags: dict[str, Any]) -> bool:
        """Whether nothing can have changed: the SDK's own store hands out the same objects until they are replaced."""
        seen, self._seen = self._seen, (flags, dict(self._affected))
        same = seen[0].keys() == flags.keys() and all(seen[0][key] is flag for key, flag in flags.items())
        return self._parts is not None and same and seen[1] == self._seen[1]

    def _describe(self, key: str, flag: Any) -> Json:
        described: dict[str, Json] = flag if isinstance(flag, dict) else flag.to_json_dict()
        return {**described, "affected": self._affected[key]}

    def _lose(self, why: str) -> None:
        if not self._lost:
            self._lost = True
            self._listener.lose(why)
