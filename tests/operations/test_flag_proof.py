"""The proof of a change: what is one, and what only looks like one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from switchover.flags.file_store import FileStore
from switchover.flags.memory_store import MemoryStore
from switchover.flags.snapshot import Acknowledgement, Acknowledgements, Snapshot
from switchover.operations.flag_proof import Outcome, Proof, wait_for_acknowledgements

Said = Acknowledgements | Sequence[Acknowledgement]


def process(
    pid: int, version: int, *, seen: float = 0.1, lineage: str = "a", mark: str | None = None
) -> Acknowledgement:
    """One that serves a version, which the change of the same number has made unless another mark is named."""
    return Acknowledgement(f"shop-{pid}", "host-1", pid, version, lineage, seen, mark or f"change {version}")


def at(version: int, *processes: Acknowledgement, lineage: str = "a", mark: str | None = None) -> Acknowledgements:
    """What they said while the set is at a version."""
    return Acknowledgements(version, lineage, mark or f"change {version}", processes)


@dataclass
class Heard(MemoryStore):
    """What the processes say, one list after the other, of a set at version 5; the last one for ever."""

    said: list[Said] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        super().__init__(Snapshot(5, "a", {"flags/checkout": {}}))

    def acknowledgements(self) -> Acknowledgements:
        said = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        return said if isinstance(said, Acknowledgements) else at(5, *said)

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def prove(said: list[Said], timeout: float = 10.0) -> Proof:
    store = Heard(said)
    proof = wait_for_acknowledgements(store, 5, timeout, mark="change 5", clock=lambda: store.now, sleep=store.sleep)
    assert (proof.why == "") is proof.complete
    return proof


def wait(said: list[Said], timeout: float = 10.0) -> tuple[list[int], list[int], float]:
    proof = prove(said, timeout)
    assert (proof.outcome is Outcome.LATE) is bool(proof.missing)
    return [each.pid for each in proof.acknowledged], [each.pid for each in proof.missing], proof.seconds


def test_the_proof_is_complete_when_every_process_has_confirmed() -> None:
    confirmed, missing, seconds = wait([[process(1, 4), process(2, 5)], at(6, process(1, 6), process(2, 5))])
    assert (confirmed, missing) == ([1, 2], [])
    assert 0 < seconds < 1


def test_who_has_not_confirmed_in_time_is_named() -> None:
    assert wait([[process(1, 4), process(2, 5)]], 3.0) == ([2], [1], pytest.approx(3.0))


def test_another_lineage_is_another_set_whatever_its_version() -> None:
    assert wait([[process(1, 5, lineage="b")]], 1.0)[1] == [1]


def test_another_change_of_the_same_number_is_another_change() -> None:
    assert wait([[process(1, 5, mark="of the other side")]], 1.0)[1] == [1]
    assert wait([at(6, process(1, 5, mark="of the other side"))], 1.0)[1] == [1]


def test_a_version_that_the_set_does_not_have_is_no_later_one() -> None:
    assert wait([[process(1, 6)]], 1.0)[1] == [1]


def test_who_falls_silent_before_confirming_is_named_for_the_whole_wait() -> None:
    silent = process(1, 4)
    said: list[Said] = [[silent], [replace(silent, seen_seconds_ago=4.9)], []]
    assert wait(said)[1] == [1]
    assert wait([[replace(silent, seen_seconds_ago=240.0)]])[1] == [1]


def test_who_says_goodbye_is_not_waited_for() -> None:
    assert wait([[process(1, 4), process(2, 5)], [process(2, 5)]])[:2] == ([2], [])


def test_a_name_that_left_the_list_is_believed_to_have_ended_only_after_a_living_one_would_be_back() -> None:
    confirmed, missing, seconds = wait([[process(1, 4), process(2, 5)], [process(2, 5)]])
    assert (confirmed, missing) == ([2], [])
    assert seconds >= 2
    # The list was lost with the server: both live, and one still serves the old version.
    lost: list[Said] = [[process(1, 4), process(2, 4)], *[[]] * 20, [process(1, 4), process(2, 5)]]
    assert wait(lost)[:2] == ([2], [1])


def test_who_comes_back_after_a_silence_counts() -> None:
    assert wait([[process(1, 4, seen=4.9)], [], [process(1, 5)]])[:2] == ([1], [])


def test_who_confirmed_and_fell_back_is_named() -> None:
    assert wait([[process(1, 5), process(2, 4)], [process(1, 4), process(2, 5)]])[:2] == ([2], [1])


def test_nobody_is_no_proof_and_is_not_believed_at_once() -> None:
    proof = prove([[]])
    assert (proof.outcome, proof.complete) == (Outcome.NOBODY, False)
    assert 2 <= proof.seconds < 3
    assert prove([[]], 1.0).outcome is Outcome.UNSETTLED


def test_who_connects_anew_after_the_list_was_lost_is_waited_for() -> None:
    assert wait([*[[]] * 30, [process(1, 4)]])[1] == [1]
    assert wait([*[[]] * 30, [process(1, 4)], [process(1, 5)]])[:2] == ([1], [])


@pytest.mark.parametrize(
    "after",
    [
        Acknowledgements(),
        at(4, process(1, 4)),
        at(7, process(1, 7), lineage="b"),
        at(5, process(1, 5, mark="other"), mark="other"),
    ],
)
def test_a_change_that_the_set_has_lost_is_not_proven(after: Acknowledgements) -> None:
    for said in ([after], [at(5, process(1, 4)), after]):
        if said[0].lineage == "b":
            continue
        proof = prove(list(said))
        assert (proof.outcome, proof.complete) == (Outcome.GONE, False)
        assert "not there any more" in proof.why


def test_a_file_has_no_word_from_its_readers_and_says_so(tmp_path: object) -> None:
    proof = wait_for_acknowledgements(FileStore(f"{tmp_path}/flags.json"), 1, 10.0)
    assert (proof.outcome, proof.complete, proof.acknowledged) == (Outcome.UNKNOWN, False, ())
