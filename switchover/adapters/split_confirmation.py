"""Believing in a split: rounds of probes through the data plane until they agree with it, or the time is over."""

from __future__ import annotations

from collections import Counter

from switchover.adapters.split_probes import CONNECTIONS, Answers, DataPlane, ask_colours
from switchover.adapters.waiting import wait_until
from switchover.decide.route_obstacles import find_naming_obstacle
from switchover.decide.split import count_probes, find_deviations
from switchover.errors import InputError, TargetError, UnseenError
from switchover.model import WHOLE, Colour, Route

_POLL_SECONDS = 0.03
_ROUNDS_THAT_AGREE = 2
_SERVER_ERROR = 500


def confirm_by_probes(plane: DataPlane, service: str, route: Route, within_seconds: float) -> Counter[Colour]:
    """See that the data plane makes this split: once within the bounds of chance; 0 and 100 % twice in a row.

    Returns how many probes each colour has answered in all. Raises `TargetError` when another split was seen all the
    time, `InputError` when answers do not name their colour.
    """
    rounds = _ROUNDS_THAT_AGREE if WHOLE in (route.blue_percent, route.green_percent) else 1
    agreed = 0
    seen = Answers()
    said = ""
    sent: Counter[Colour] = Counter()

    def shown() -> bool:
        nonlocal agreed, seen, said
        try:
            seen = ask_colours(plane, count_probes(route))
            sent.update(seen.colours)
            said = "; ".join(find_deviations(route, seen.count()))
        except TargetError as error:
            seen, said = Answers(), error.problem.found
        agreed = 0 if said else agreed + 1
        return agreed >= rounds

    if wait_until(shown, within_seconds, _POLL_SECONDS):
        return sent
    if not seen.colours and not seen.nameless:
        raise unseen(service, route, said)
    if any(status < _SERVER_ERROR for status in seen.nameless):
        raise _indistinguishable(plane, service, seen)
    raise not_followed(service, route, "; ".join(filter(None, [said, _say_nameless(seen)])))


def find_nameless(plane: DataPlane) -> str:
    """What a few answers lack to tell the colours apart; empty: nothing. Raises `TargetError` when there is none."""
    return _say_nameless(ask_colours(plane, CONNECTIONS))


def unseen(service: str, route: Route, found: str) -> UnseenError:
    """The error of a split that nobody can look at."""
    return UnseenError(
        f"nobody can see whether the traffic of {service} follows its route",
        expected=f"answers to probes through the gateway that show {say_split(route)}",
        found=found,
        next_step="check that the gateway is reachable from here; if it cannot be, set `data_plane` or `confirm`",
    )


def not_followed(service: str, route: Route, found: str) -> TargetError:
    """The error of a split that is not in force."""
    return TargetError(
        f"the traffic of {service} does not follow its route",
        expected=say_split(route),
        found=found,
        next_step="repeat; if it stays so, look at the gateway's log",
    )


def say_split(route: Route) -> str:
    """A route in words."""
    return f"blue {route.blue_percent} %, green {route.green_percent} %"


def _indistinguishable(plane: DataPlane, service: str, seen: Answers) -> InputError:
    obstacle = find_naming_obstacle(plane.address, _say_nameless(seen))
    return InputError(
        f"probes cannot tell the colours of {service} apart",
        expected=obstacle.expected,
        found=obstacle.found,
        next_step=obstacle.fix,
    )


def _say_nameless(answers: Answers) -> str:
    said = ", ".join(f"{count} with status {status}" for status, count in sorted(answers.nameless.items()))
    return f"answers without a colour: {said}" if said else ""
