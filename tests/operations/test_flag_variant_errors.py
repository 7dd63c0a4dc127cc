"""Whole rollouts of a flag in simulated worlds: the judge of its variants is seldom wrong, and finds a bad variant."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from switchover.errors import UnhealthyError
from switchover.flags.changes import new_flag, read_percentage, set_percentage
from switchover.flags.memory_store import MemoryStore
from switchover.flags.records import Batch, Exposure, Occurrence
from switchover.flags.snapshot import Note
from switchover.model import Colour, JudgeSettings, Tally
from switchover.operations.flag_changes import change_flag
from switchover.operations.flag_rollout import open_flag_sight, plan_flag_rollout, raise_flag, watch_flag
from tests.flags.memory_records import MemoryRecords
from tests.operations.house import House

NOTE = Note("ann", "an experiment", "rollout")
JUDGE = JudgeSettings()
FRAGILE = 0.05
DELAY = 20


@dataclass(slots=True)
class World:
    """Visitors by the second. Errors come with `rate` a visit, to one user in twenty with `fragile_rate`.

    An error arrives twenty seconds late, as a recorder sends it; a process sends each variant of a user once.
    """

    seed: int
    visits: int = 20
    regulars: int = 0
    newcomers: float = 1.0
    rate: float = 0.02
    fragile_rate: float = 0.5
    harm: float = 1.0
    random: random.Random = field(init=False)
    house: House = field(init=False)
    store: MemoryStore = field(init=False)
    keeper: MemoryRecords = field(default_factory=MemoryRecords)
    users: int = 0
    batches: int = 0
    lots: dict[int, tuple[float, float]] = field(default_factory=dict)
    sent: set[tuple[str, str]] = field(default_factory=set)
    late: deque[tuple[float, Occurrence]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311  (no secret)
        self.house = House()
        self.house.deploy("1.0.0")
        self.store = MemoryStore(now=lambda: datetime.fromtimestamp(self.house.clock.now(), UTC))
        self.users = self.regulars

    def put(self, percent: float) -> None:
        change_flag(self.store, "checkout", lambda flag: set_percentage(flag or new_flag(), percent), NOTE)

    def live(self, seconds: int) -> None:
        """The world goes on, and nobody watches."""
        self.house.clock.on_sleep = self._second
        for _ in range(seconds):
            self.house.clock.sleep(1.0)

    def roll_out(self, *steps: float, hold_seconds: float = 40) -> bool:
        """Whether the judge lets the flag reach the last step."""
        rollout, left = plan_flag_rollout(
            self.store, "checkout", steps, variant=None, run="run", who="ann", why="all want it"
        )
        ports = self.house.ports()
        self.house.clock.on_sleep = self._second
        sight = open_flag_sight(ports, "shop", rollout, self.keeper)
        try:
            for percent in left:
                raise_flag(self.store, rollout, percent)
                sight = watch_flag(
                    ports,
                    self.store,
                    rollout,
                    sight,
                    hold_seconds=hold_seconds,
                    settings=JUDGE,
                    report=lambda *_: None,
                    keeper=self.keeper,
                )
        except UnhealthyError as error:
            if "more errors than the other variants" not in error.problem.found:
                raise
            return False
        return True

    def _second(self, now: float) -> None:
        self.house.target.signals.add("shop", Colour.BLUE, Tally(90, 0, 0))
        flag = self.store.read().flag("checkout")
        assert isinstance(flag, dict)
        share, records = read_percentage(flag) or 0.0, []
        for _ in range(self.visits):
            records += self._visit(share, now)
        while self.late and self.late[0][0] <= now:
            records.append(self.late.popleft()[1])
        self.batches += 1
        self.keeper.write(Batch("one", self.batches, (), records))

    def _visit(self, share: float, now: float) -> list[Exposure | Occurrence]:
        if not self.regulars or self.random.random() < self.newcomers:
            self.users += 1
            number = self.users
        else:
            number = self.random.randrange(self.regulars)
        bucket, strength = self.lots.setdefault(number, (self.random.random() * 100, self.random.random()))
        unit, variant, at = f"user-{number}", "on" if bucket < share else "off", int(now * 1000)
        rate = self.fragile_rate if strength < FRAGILE else self.rate
        if self.random.random() < rate * (self.harm if variant == "on" else 1.0):
            self.late.append((now + DELAY, Occurrence("checkout", unit, "error", None, at)))
        if (unit, variant) in self.sent:
            return []
        self.sent.add((unit, variant))
        return [Exposure("checkout", unit, variant, at)]


def with_history(world: World, *shares: float) -> World:
    """Weeks at each share, here two minutes."""
    for share in shares:
        world.put(share)
        world.live(120)
    return world


def fresh(seed: int, harm: float = 1.0) -> World:
    """Everybody comes once; the first step follows at once."""
    world = World(seed, harm=harm)
    world.put(0)
    return world


def long_lived(seed: int, harm: float = 1.0) -> World:
    """Most users have been there before, and nearly all of them have the variant off."""
    return with_history(World(seed, regulars=2000, newcomers=0.2, harm=harm), 5)


def regulars_alone(seed: int, harm: float = 1.0) -> World:
    """Nobody new ever comes."""
    return with_history(World(seed, regulars=1500, newcomers=0.0, harm=harm), 10)


def taken_back_before(seed: int, harm: float = 1.0) -> World:
    """Half of the users once had the variant, and were given the other one again.

    The processes do not send the variant of these users a third time, so its errors count for the others: the judge
    may be late here, and is not held to find it.
    """
    return with_history(World(seed, regulars=2000, newcomers=0.2, harm=harm), 50, 5)


def idle_crowd(seed: int, harm: float = 1.0) -> World:
    """Five thousand were given the variant off, and never come again."""
    world = World(seed, harm=harm)
    world.put(1)
    at = int(world.house.clock.now() * 1000)
    world.keeper.write(Batch("long ago", 1, (), [Exposure("checkout", f"gone-{n}", "off", at) for n in range(5000)]))
    return world


WORLDS = [fresh, long_lived, regulars_alone, taken_back_before, idle_crowd]


@pytest.mark.parametrize("made", WORLDS)
def test_a_harmless_variant_is_seldom_taken_back(made: Callable[[int], World]) -> None:
    """One rollout in a hundred is the promise; of 8 more than one is against it."""
    stopped = sum(not made(seed).roll_out(10, 25, 50, 100) for seed in range(8))
    assert stopped <= 1


def test_a_great_leap_of_the_share_is_no_reason() -> None:
    assert sum(not fresh(seed).roll_out(1, 50, hold_seconds=100) for seed in range(8)) <= 1


@pytest.mark.parametrize("made", [world for world in WORLDS if world is not taken_back_before])
def test_a_variant_that_breaks_much_is_found_before_all_have_it(made: Callable[[int, float], World]) -> None:
    stopped = [made(seed, 8.0).roll_out(10, 25, 50) for seed in range(4)]
    assert stopped == [False] * 4
