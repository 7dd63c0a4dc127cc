"""Flags kept by LaunchDarkly: its SDK receives and evaluates them, and the same `Client` asks.

The SDK key comes from `SWITCHOVER_LAUNCHDARKLY_SDK_KEY` and from nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, Literal

from ldclient import Config, LDClient
from ldclient.feature_store import InMemoryFeatureStore

from switchover.errors import InputError
from switchover.flags.client import Client
from switchover.flags.context import Context
from switchover.flags.context_cache import ContextCache
from switchover.flags.flag_set import Flag, FlagSet
from switchover.flags.launchdarkly_answers import SdkFlag, answer_all, sdk_context
from switchover.flags.launchdarkly_watch import LINEAGE, PREFIX, Watch
from switchover.flags.ports import Listener, Recorder
from switchover.flags.resolution import Resolution
from switchover.flags.snapshot import Snapshot

SDK_KEY_VARIABLE: Final = "SWITCHOVER_LAUNCHDARKLY_SDK_KEY"


def read_sdk_key(environment: Mapping[str, str]) -> str:
    """The SDK key. Raises `InputError` where there is none; the key is never part of a message."""
    key = environment.get(SDK_KEY_VARIABLE, "").strip()
    if not key or not key.isprintable() or " " in key:
        raise InputError(
            "LaunchDarkly cannot be asked",
            expected=f"the SDK key of an environment in {SDK_KEY_VARIABLE}",
            found="characters that no key has" if key else "nothing",
            next_step="copy the SDK key (not the mobile key or the client-side ID) from the environment's settings",
        )
    return key


def launchdarkly_client(
    environment: Mapping[str, str] = os.environ,
    *,
    recorder: Recorder | Literal["usual"] | None = "usual",
    cache: ContextCache | None = None,
    name: str | None = None,
    **options: Any,
) -> Client:
    """A client on LaunchDarkly's flags. The usual `recorder` sends events to LaunchDarkly.

    With a `cache` the SDK is not asked again for a context whose answer is known. It is emptied as soon as the SDK
    says that a flag has changed (within a second, should it not say so), and LaunchDarkly counts fewer evaluations.
    `options` go to the SDK's `Config` as they are (`stream_uri` and `base_uri` for a relay proxy, `send_events`,
    `http`, `private_attributes` …). Raises `InputError` without an SDK key.
    """
    source = LaunchDarkly(read_sdk_key(environment), **options)
    chosen = LaunchDarklyRecorder(source) if recorder == "usual" else recorder
    return Client(source, recorder=chosen, compiler=source.compile, cache=cache, name=name or LINEAGE)


class LaunchDarkly:
    """The feed of a client (port `FlagFeed`) and the compiler of what it feeds.

    Both stand on one client of the SDK, which is made anew by each `start` (and so in a forked process). A flag's
    rules are evaluated by the SDK alone, on what it has received: a change counts before this feed has noticed it.
    """

    def __init__(self, sdk_key: str, **options: Any) -> None:
        self._sdk_key = sdk_key
        self._options = options
        self._configure()
        self._sdk: LDClient | None = None
        self._compiled_for: LDClient | None = None
        self._flags: dict[str, SdkFlag] = {}
        self._pid = os.getpid()

    def start(self, listener: Listener) -> None:
        """Begin to receive; the flags come as soon as LaunchDarkly sends them."""
        config = self._configure()
        self._sdk = LDClient(config, start_wait=0)
        self._pid = os.getpid()
        self._watch = Watch(self._sdk, config.feature_store, listener)
        self._watch.start()

    def stop(self) -> None:
        """End and let go of the SDK client. What a forked process inherited of one is left alone: it has no threads."""
        sdk, self._sdk = self._sdk, None
        if sdk is None or self._pid != os.getpid():
            return
        self._watch.stop()
        sdk.close()  # type: ignore[no-untyped-call]

    def _configure(self) -> Config:
        """A configuration serves one client of the SDK. Raises `InputError` for what the SDK does not know."""
        store = self._options.get("feature_store") or InMemoryFeatureStore()  # type: ignore[no-untyped-call]
        try:
            return Config(self._sdk_key, **{**self._options, "feature_store": store})
        except TypeError as error:
            raise InputError(
                "LaunchDarkly cannot be asked",
                expected="options of the SDK's Config",
                found=", ".join(sorted(self._options)),
                next_step="look them up in the documentation of ldclient.config.Config",
            ) from error

    def compile(self, snapshot: Snapshot, before: FlagSet) -> FlagSet:
        """Answers that ask the SDK. Flags that are as they were in `before` keep theirs."""
        sdk = self._sdk
        if sdk is None:
            return FlagSet(snapshot)
        # Answers of another SDK client (before a fork) serve until here, and no longer.
        old = self._flags if self._compiled_for is sdk else {}
        flags: dict[str, SdkFlag] = {}
        compiled: dict[str, Flag] = {}
        for part, definition in snapshot.parts.items():
            key = part.removeprefix(PREFIX)
            if key in old and key in before.compiled and before.snapshot.parts.get(part) == definition:
                flags[key], compiled[key] = old[key], before.compiled[key]
            else:
                flags[key] = SdkFlag(sdk, key, definition if isinstance(definition, dict) else {})
                compiled[key] = flags[key].compiled()
        self._flags, self._compiled_for = flags, sdk
        answers = {key: flag.answer for key, flag in compiled.items()}
        return FlagSet(snapshot, compiled, answers, answer_all=lambda context: answer_all(sdk, flags, context))

    def track(self, event: str, context: Context, value: float | None) -> None:
        """Send the event to LaunchDarkly, which judges its experiments by it."""
        sdk, asked = self._sdk, sdk_context(context)
        if sdk is not None and asked is not None:
            sdk.track(event, asked, metric_value=value)


class LaunchDarklyRecorder:
    """Port `Recorder`: what happens goes to LaunchDarkly; its SDK counts evaluations and exposures by itself."""

    def __init__(self, source: LaunchDarkly) -> None:
        self._source = source

    def swapped(self, flag_set: FlagSet) -> None:
        """Nothing: the SDK knows its flags."""

    def exposed(self, resolution: Resolution, context: Context) -> None:
        """Nothing: the SDK sends its own exposures."""

    def tracked(self, event: str, context: Context, value: float | None) -> None:
        """Send it with the SDK's next batch."""
        self._source.track(event, context, value)

    def start(self) -> None:
        """Nothing: the SDK's own threads send."""

    def stop(self) -> None:
        """Nothing: closing the SDK sends what waits."""
