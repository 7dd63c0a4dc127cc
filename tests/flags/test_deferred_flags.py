"""A flag is compiled when it is first needed; nobody can tell by its answers."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import Any

import pytest

from switchover.flags.context import NOBODY, Context
from switchover.flags.counting import AnswerCounts
from switchover.flags.exposures import ExposureRecorder
from switchover.flags.flag_set import CompiledFlag, DeferredFlag, FlagSet
from switchover.flags.fresh_stack import on_fresh_stack
from switchover.flags.resolution import ErrorCode, Reason
from tests.flags.compiler_cases import a_flag, a_set
from tests.flags.memory_records import MemoryRecords
from tests.flags.recording_cases import SPLIT, compiled

BETA: Any = {"if": [{"var": "beta"}, "on"]}
EXPERIMENT = {"switchover.experiment": True}


def wants(wanted: dict[str, str]) -> dict[str, Any]:
    return a_flag(BETA, metadata={"switchover.prerequisites": json.dumps(wanted)})


def asked(flag_set: FlagSet) -> set[str]:
    return {key for key, flag in flag_set.compiled.items() if flag.made is not None}


def ask(flag_set: FlagSet, key: str) -> None:
    flag_set.answers[key](NOBODY).count()


def test_the_first_question_compiles_a_flag_and_the_next_ones_find_it() -> None:
    flag_set = a_set({"one": a_flag(BETA), "other": a_flag()})
    assert asked(flag_set) == set()
    assert flag_set.answers["one"](Context("k", {"beta": True})).value is True
    assert asked(flag_set) == {"one"}
    assert flag_set.answers["one"] is flag_set.compiled["one"].answer


def test_a_flag_is_compiled_with_those_that_it_asks_for() -> None:
    flag_set = a_set({"last": wants({"middle": "off"}), "middle": wants({"first": "off"}), "first": a_flag()})
    assert flag_set.answers["middle"](NOBODY).reason is Reason.DEFAULT
    assert asked(flag_set) == {"middle", "first"}
    assert flag_set.answers["last"](NOBODY).reason is Reason.DEFAULT


def test_the_next_set_goes_on_with_a_flag_whichever_set_was_asked_first() -> None:
    flags = {"same": a_flag(BETA), "late": a_flag(BETA)}
    first = a_set(flags)
    second = a_set({**flags, "new": a_flag()}, first)
    ask(second, "same")
    ask(first, "late")
    assert first.compiled["same"] is second.compiled["same"]
    assert first.answers["same"](NOBODY) is second.answers["same"](NOBODY)
    assert first.answers["late"](NOBODY) is second.answers["late"](NOBODY)


def test_a_flag_in_use_is_compiled_by_the_change_and_no_request_waits_for_it() -> None:
    first = a_set({"used": a_flag(), "unused": a_flag()})
    ask(first, "used")
    second = a_set({"used": a_flag(BETA), "unused": a_flag(BETA)}, first)
    assert asked(second) == {"used"}
    assert second.answers["used"] is second.compiled["used"].answer


@pytest.mark.parametrize(
    ("flag", "evaluators"),
    [
        (a_flag(SPLIT, metadata=EXPERIMENT), {}),
        ({**a_flag(SPLIT), "metadata": {"$ref": "shared"}}, {"shared": EXPERIMENT}),
        ({"$ref": "whole"}, {"whole": a_flag(SPLIT, metadata=EXPERIMENT)}),
    ],
)
def test_a_recorder_knows_experiments_that_nobody_has_asked_for(flag: Any, evaluators: dict[str, Any]) -> None:
    recorder = ExposureRecorder(MemoryRecords(), interval_seconds=1000)
    recorder.swapped(a_set({"test": flag, "plain": a_flag()}, evaluators=evaluators))
    recorder.tracked("bought", Context("anna"), 1)
    assert recorder.waiting == 1


def test_prerequisites_that_come_from_an_evaluator_are_an_error_of_that_flag_alone() -> None:
    flag = {**a_flag(), "metadata": {"$ref": "shared"}}
    evaluators: Any = {"shared": {"switchover.prerequisites": '{"sound": "off"}'}}
    flag_set = a_set({"flag": flag, "sound": a_flag()}, evaluators=evaluators)
    assert flag_set.answers["flag"](NOBODY).error_code is ErrorCode.PARSE_ERROR
    assert flag_set.answers["sound"](NOBODY).value is False


def test_threads_that_ask_first_at_the_same_time_get_the_same_answer_and_each_is_counted() -> None:
    keys = [f"flag{number}" for number in range(200)]
    flag_set = a_set({key: wants({"shared": "off"}) for key in keys} | {"shared": a_flag()})
    counts, start = AnswerCounts(), threading.Barrier(4)
    counts.swap(flag_set)
    found: list[list[object]] = []

    def ask_all() -> None:
        start.wait()
        answers = [flag_set.answers[key](NOBODY) for key in keys]
        for answer in answers:
            answer.count()
        found.append(list(answers))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=ask_all) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert all(one is other for answers in found for one, other in zip(answers, found[0], strict=True))
    assert sum(counts.read().values()) == 800


def test_the_first_question_after_a_reading_is_counted_and_nothing_twice() -> None:
    counts, flags = AnswerCounts(), compiled(one=a_flag(), other=a_flag())
    counts.swap(flags)
    assert counts.read() == {}
    ask(flags, "one")
    assert sum(counts.read().values()) == 1
    ask(flags, "other")
    counts.swap(compiled(2, before=flags, one=a_flag(), other=a_flag(), new=a_flag()))
    ask(flags, "one")
    assert sum(counts.read().values()) == 2
    assert counts.read() == {}


def test_a_first_question_to_a_set_that_was_just_replaced_is_counted() -> None:
    counts, flags = AnswerCounts(), compiled(gone=a_flag(), never=a_flag())
    counts.swap(flags)
    counts.swap(compiled(2))
    ask(flags, "gone")
    assert sum(counts.read().values()) == 1
    counts.swap(flags)
    ask(flags, "gone")
    ask(flags, "never")
    assert sum(counts.read().values()) == 2
    counts.swap(compiled(3))
    assert counts.read() == counts.read() == {}
    assert not counts._unasked_retired


def test_many_swaps_keep_few_of_the_flags_that_nobody_asks() -> None:
    counts = AnswerCounts()
    for version in range(60):
        flags: dict[str, Any] = {f"flag{version}-{number}": a_flag() for number in range(500)}
        counts.swap(compiled(version, **flags))
    assert len(counts._unasked_retired) == 20_000


def deep(levels: int, call: Any) -> Any:
    return call() if levels == 0 else deep(levels - 1, call)


def test_how_deep_an_application_stands_when_it_asks_first_does_not_break_a_flag() -> None:
    rule: Any = {"var": "beta"}
    for _ in range(15):
        rule = {"!": [{"!": [rule]}]}
    flags = {f"f{index}": wants({f"f{index + 1}": "off"}) for index in range(40)} | {"f40": a_flag()}
    flag_set = a_set({"nested": a_flag({"if": [rule, "on", "off"]}), **flags})
    room = sys.getrecursionlimit() - 150
    frame: Any = sys._getframe()
    while frame is not None:
        room, frame = room - 1, frame.f_back
    beta = Context("k", {"beta": True})
    assert deep(room, lambda: flag_set.answers["nested"](beta)).value is True
    assert deep(room, lambda: flag_set.answers["f0"](NOBODY)).reason is Reason.DEFAULT


def test_what_cannot_be_made_is_raised_and_tried_again() -> None:
    tries = iter([RuntimeError("no thread"), None])
    made = CompiledFlag("flag", lambda _context: None, ())  # type: ignore[arg-type, return-value]

    def make(key: str, part: int) -> CompiledFlag:
        assert (key, part) == ("flag", 7)
        error = next(tries)
        if error is not None:
            raise error
        return made

    flag = DeferredFlag("flag", make, 7)
    with pytest.raises(RuntimeError, match="no thread"):
        _ = flag.answer
    assert flag.made is None
    assert flag.answer is made.answer
    assert flag.made is made


def test_a_fresh_stack_raises_what_is_raised_on_it() -> None:
    assert on_fresh_stack(threading.current_thread) is not threading.current_thread()
    with pytest.raises(ValueError, match="twelve"):
        on_fresh_stack(lambda: int("twelve"))


def test_libraries_that_few_rules_need_are_imported_for_those_alone() -> None:
    script = """
import sys
from switchover.flags import Client, Context
from switchover.flags.memory_store import MemoryStore

def loaded():
    return {"semver", "cbor2", "redis", "openfeature", "ldclient", "prometheus_client"} & set(sys.modules)

def flag(rule):
    return {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off", "targeting": rule}

split = [["on", 1], ["off", 0]]
flags = {
    "users": flag({"if": [{"in": [{"var": "targetingKey"}, ["ann"]]}, "on", {"fractional": split}]}),
    "version": flag({"if": [{"sem_ver": [{"var": "v"}, ">=", "1.2.0"]}, "on"]}),
    "group": flag({"fractional": [{"var": "v"}, *split]}),
}
with Client(MemoryStore.from_document({"flags": flags}).feed()) as client:
    assert client.is_enabled("users", "bob") and loaded() == set(), loaded()
    assert client.is_enabled("version", Context("bob", {"v": "1.10.0"})) and loaded() == {"semver"}, loaded()
    assert client.is_enabled("group", Context("bob", {"v": "x"})) and loaded() == {"semver", "cbor2"}, loaded()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
