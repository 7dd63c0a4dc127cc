from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from switchover.errors import InputError
from switchover.flags.client import Client
from switchover.flags.context import Context
from switchover.flags.context_cache import ContextCache
from switchover.flags.exposures import ExposureRecorder
from switchover.flags.ports import Listener
from switchover.flags.prometheus import FlagCollector
from tests.flags.memory_records import MemoryRecords
from tests.flags.recording_cases import SPLIT, boolean, snapshot

ANNA = Context("anna")


@dataclass(slots=True)
class Hand:
    """A feed that a test leads."""

    listeners: list[Listener] = field(default_factory=list)

    def start(self, listener: Listener) -> None:
        self.listeners.append(listener)
        listener.replace(snapshot(7, plain=boolean(), broken=boolean({"if": [True, "nowhere"]}), test=boolean(SPLIT)))

    def stop(self) -> None:
        pass


def scrape(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    """The samples by their name and the values of their labels, the client's first."""
    return {
        (sample.name, sample.labels.pop("client"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def counting() -> ExposureRecorder:
    return ExposureRecorder(MemoryRecords(), interval_seconds=1000)


def test_a_scrape_tells_of_answers_errors_and_the_set() -> None:
    hand, registry = Hand(), CollectorRegistry(auto_describe=True)
    with Client(hand, recorder=counting(), cache=ContextCache(), name="shop") as client:
        registry.register(FlagCollector(client))
        for _ in range(5):
            client.is_enabled("plain", ANNA)
        client.is_enabled("broken", ANNA)
        found = scrape(registry)
        assert found["switchover_flag_evaluations_total", "shop", "plain", "STATIC", "off"] == 5
        assert found["switchover_flag_evaluations_total", "shop", "broken", "ERROR", ""] == 1
        assert found["switchover_flag_errors_total", "shop", "GENERAL", "broken"] == 1
        assert found["switchover_flag_set_version", "shop"] == 7
        assert found["switchover_flag_set_age_seconds", "shop"] >= 0
        assert found["switchover_flags_stale", "shop"] == 0
        assert found["switchover_flag_cache_lookups_total", "shop", "hit"] == 4
        assert found["switchover_flag_cache_lookups_total", "shop", "miss"] == 2
        client.is_enabled("plain", ANNA)
        hand.listeners[0].lose("the place is silent")
        again = scrape(registry)
        assert again["switchover_flag_evaluations_total", "shop", "plain", "STATIC", "off"] == 6
        assert again["switchover_flags_stale", "shop"] == 1


def test_flags_that_nobody_has_and_units_do_not_grow_the_labels() -> None:
    hand, registry = Hand(), CollectorRegistry()
    with Client(hand, recorder=counting()) as client:
        registry.register(FlagCollector(client))
        for number in range(300):
            client.is_enabled(f"unknown{number}", Context(f"user{number}"))
            client.is_enabled("test", Context(f"user{number}"))
        found = scrape(registry)
        assert sum(name == "switchover_flag_evaluations_total" for name, *_ in found) == 2
        hand.listeners[0].replace(snapshot(8, plain=boolean()))
        assert not any("test" in labels for labels in scrape(registry))


def test_what_was_dropped_is_a_metric() -> None:
    registry, recorder = CollectorRegistry(), counting()
    with Client(Hand(), recorder=recorder) as client:
        registry.register(FlagCollector(client))
        recorder._outbox.drop("events", 3)
        assert scrape(registry)["switchover_flag_dropped_records_total", "flags", "events"] == 3


def test_two_clients_share_a_registry_and_one_without_a_recorder_has_its_set_told() -> None:
    registry = CollectorRegistry(auto_describe=True)
    with Client(Hand(), recorder=counting(), name="shop") as shop, Client(Hand(), name="mail") as mail:
        registry.register(FlagCollector(shop, mail))
        shop.is_enabled("plain", ANNA)
        mail.is_enabled("plain", ANNA)
        found = scrape(registry)
        assert found["switchover_flag_evaluations_total", "shop", "plain", "STATIC", "off"] == 1
        assert {labels[0] for name, *labels in found if name == "switchover_flag_set_version"} == {"shop", "mail"}
        assert not any(name == "switchover_flag_evaluations_total" and "mail" in labels for name, *labels in found)


def test_two_clients_of_one_name_are_refused() -> None:
    with Client(Hand()) as one, Client(Hand()) as other, pytest.raises(InputError, match="told apart"):
        FlagCollector(one, other)
