from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchover.errors import InputError
from switchover.flags.additions import off_variant, read_additions
from switchover.flags.definition import MAX_SET_BYTES, find_mistakes, read_document, require_sound

CHECKOUT: dict[str, Any] = {
    "state": "ENABLED",
    "variants": {"on": True, "off": False},
    "defaultVariant": "off",
    "targeting": {
        "if": [
            {"and": [{"$ref": "inside"}, {"sem_ver": [{"var": "version"}, ">=", "1.2.3"]}]},
            "on",
            {"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "email"}]}, ["on", 25], ["off", 75]]},
        ]
    },
    "metadata": {
        "team": "shop",
        "switchover.owner": "ann",
        "switchover.created": "2026-11-23",
        "switchover.expires": "2027-02-28",
        "switchover.prerequisites": '{"payments": "new"}',
        "switchover.off": "off",
        "switchover.experiment": True,
    },
}
PAYMENTS: dict[str, Any] = {"state": "DISABLED", "variants": {"old": "v1", "new": "v2"}, "defaultVariant": None}
INSIDE: dict[str, Any] = {"or": [{"ends_with": [{"var": "email"}, "@example.com"]}, {"$ref": "office"}]}
SOUND: dict[str, Any] = {
    "flags/checkout": CHECKOUT,
    "flags/payments": PAYMENTS,
    "$evaluators/inside": INSIDE,
    "$evaluators/office": {"starts_with": [{"var": "ip"}, "10."]},
    "metadata/flagSetId": "shop",
    "metadata/revision": 7,
}


def checkout(**changed: Any) -> dict[str, Any]:
    return {**SOUND, "flags/checkout": {key: each for key, each in {**CHECKOUT, **changed}.items() if each != "gone"}}


ASKED = "metadata/switchover.prerequisites"


def noted(**changed: Any) -> dict[str, Any]:
    names = {f"switchover.{name}": value for name, value in changed.items()}
    return checkout(metadata={**CHECKOUT["metadata"], **names})


def ruled(rule: Any) -> dict[str, Any]:
    return checkout(targeting={"if": [rule, "on", "off"]})


def test_a_sound_set_has_no_mistakes() -> None:
    assert find_mistakes(SOUND) == ()
    assert find_mistakes({}) == ()
    require_sound(SOUND)


@pytest.mark.parametrize(
    ("parts", "path", "expected", "found"),
    [
        (checkout(state="enabled"), "state", "one of ENABLED, DISABLED", '"enabled"'),
        (checkout(state="ENABLE"), "state", "one of ENABLED, DISABLED", '"ENABLE" (did you mean ENABLED?)'),
        (checkout(state=True), "state", "one of ENABLED, DISABLED", "true"),
        (checkout(state="gone"), "state", "one of ENABLED, DISABLED", "none"),
        (checkout(variants="gone"), "variants", "an object with at least one variant", "null"),
        (checkout(variants={}), "variants", "an object with at least one variant", "{}"),
        (checkout(variants=[True]), "variants", "an object", "a list with 1 members"),
        (checkout(variants={"on": True, "off": 0}), "variants/off", "a boolean like the first", "a number"),
        (checkout(variants={"on": True, "off": None}), "variants/off", "a boolean, a text", "null"),
        (checkout(variants={"on": [], "off": []}), "variants/on", "a boolean, a text", "[]"),
        (checkout(variants={"on": 2**53, "off": 0}), "variants/on", "a number from", "9007199254740992"),
        (checkout(variants={"on": True, "off": False, "": True}), "variants/", "1 to 256", "0 characters"),
        (checkout(variants={"on": True, "off": False, "a\nb": True}), "variants/a\nb", "control", '"a\\nb"'),
        (checkout(defaultVariant="of"), "defaultVariant", "one of on, off", '"of" (did you mean off?)'),
        (checkout(defaultVariant=False), "defaultVariant", "one of on, off", "false"),
        (checkout(default="on"), "default", "one of state", '"default" (did you mean defaultVariant?)'),
        (checkout(targeting=None), "targeting", "an operation", "null"),
        (checkout(targeting="on"), "targeting", "an operation", '"on"'),
        (checkout(targeting={"$ref": "inside"}), "targeting", "as an argument", "a $ref"),
        (checkout(targeting={"if": [True, "on"], "or": []}), "targeting", "exactly one operator", "2 keys (if, or)"),
        (checkout(targeting={"if": [True, "onn"]}), "targeting/if/1", "a variant", '"onn" (did you mean on?)'),
        (checkout(targeting={"if": [True, 1, None]}), "targeting/if/1", "a variant of the flag (on, off)", '"1"'),
        (checkout(targeting={"if": [True, ["on"]]}), "targeting/if/1", "a variant", "a list with 1 members"),
        (checkout(targeting={"==": [1, 2]}), "targeting/==", "a variant", '"true"'),
        (checkout(targeting={"or": [{"if": [True, "x"]}, "on"]}), "targeting/or/0/if/1", "a variant", '"x"'),
        (checkout(targeting={"and": [{"var": "a"}, "x"]}), "targeting/and/1", "a variant", '"x"'),
        (checkout(targeting={"fractional": [["x", 1], ["on", 1]]}), "targeting/fractional/0/0", "a variant", '"x"'),
        (
            checkout(targeting={"if": [True, {"$ref": "inside"}, "on"]}),
            "targeting/if/1",
            "an evaluator that gives a variant",
            '"true" by "inside"',
        ),
        (ruled({"start_with": ["a", "b"]}), "targeting/if/0/start_with", "an operator", "(did you mean starts_with?)"),
        (ruled({}), "targeting/if/0", "exactly one operator", "0 keys"),
        (ruled({"$ref": "insid"}), "targeting/if/0/$ref", "$evaluators", '"insid" (did you mean inside?)'),
        (ruled({"$ref": 1}), "targeting/if/0/$ref", "the name of an evaluator", "1"),
        (ruled({"==": [1]}), "targeting/if/0/==", "a list of 2 arguments", "1 arguments"),
        (ruled({"==": 1}), "targeting/if/0/==", "a list of 2 arguments", "1"),
        (ruled({"<": [1, 2, 3, 4]}), "targeting/if/0/<", "2 to 3", "4 arguments"),
        (ruled({"or": []}), "targeting/if/0/or", "1 or more", "0 arguments"),
        (ruled({"/": [1]}), "targeting/if/0/~1", "2 arguments", "1 arguments"),
        (ruled({"reduce": [[], 1]}), "targeting/if/0/reduce", "3 arguments", "2 arguments"),
        (ruled({"!": [1, 2]}), "targeting/if/0/!", "one argument", "2 arguments"),
        (ruled({"var": "$flagd.time"}), "targeting/if/0/var", "one of $flagd.timestamp", "$flagd.timestamp?"),
        (ruled({"var": ["$flagd.x"]}), "targeting/if/0/var/0", "one of $flagd.timestamp", '"$flagd.x"'),
        (ruled({"var": ["a", 1, 2]}), "targeting/if/0/var", "a default", "3 arguments"),
        (ruled({"var": None}), "targeting/if/0/var", "the name of an attribute", "null"),
        (ruled({"missing": ["a", 1]}), "targeting/if/0/missing/1", "the name of an attribute", "1"),
        (ruled({"missing": "a"}), "targeting/if/0/missing", "a list of attribute names", '"a"'),
        (ruled({"missing_some": [True, ["a"]]}), "targeting/if/0/missing_some/0", "a number", "true"),
        (ruled({"missing_some": ["a"]}), "targeting/if/0/missing_some", "a number and a list", "1 arguments"),
        (ruled({"starts_with": [1, "a"]}), "targeting/if/0/starts_with/0", "an operation", "1"),
        (ruled({"ends_with": ["a"]}), "targeting/if/0/ends_with", "two arguments", "1 arguments"),
        (ruled({"sem_ver": ["1.2", "=", "1.2.0"]}), "targeting/if/0/sem_ver/0", "a version like 1.2.3", '"1.2"'),
        (ruled({"sem_ver": ["1.2.0", "==", "1.2.0"]}), "targeting/if/0/sem_ver/1", "one of =", '"=="'),
        (ruled({"sem_ver": ["1.2.0", "="]}), "targeting/if/0/sem_ver", "an operator and a version", "2 arguments"),
        (ruled({"fractional": []}), "targeting/if/0/fractional", "a list of shares", "0 arguments"),
        (ruled({"fractional": [{"var": "email"}]}), "targeting/if/0/fractional", "a sum from 1", "0"),
        (ruled({"fractional": [["a", 0], ["b", 0]]}), "targeting/if/0/fractional", "a sum from 1", "0"),
        (ruled({"fractional": [["a", 2**31 - 1], ["b"]]}), "targeting/if/0/fractional", "2147483647", "2147483648"),
        (ruled({"fractional": [["a", -1], ["b", 2]]}), "targeting/if/0/fractional/0/1", "a whole number", "-1"),
        (ruled({"fractional": [["a", 1.5], ["b", 2]]}), "targeting/if/0/fractional/0/1", "a whole number", "1.5"),
        (ruled({"fractional": [["a", True], ["b", 2]]}), "targeting/if/0/fractional/0/1", "a whole number", "true"),
        (ruled({"fractional": ["a", "b"]}), "targeting/if/0/fractional/0", "a share like", '"a"'),
        (ruled({"in": ["a", [{"vra": "b"}]]}), "targeting/if/0/in/1/0/vra", "an operator", "(did you mean var?)"),
        (ruled({"==": [float("nan"), 1]}), "targeting/if/0/==/0", "a finite number", "NaN"),
        (ruled({"==": ["\ud800", 1]}), "targeting/if/0/==/0", "Unicode text", "half a surrogate pair"),
        (ruled({"==": [{1, 2}, 1]}), "targeting/if/0/==/0", "JSON", "a Python set"),
        (checkout(metadata=[]), "metadata", "an object", "[]"),
        (checkout(metadata={"team": None}), "metadata/team", "a text, a number", "null"),
        (checkout(metadata={"team": {}}), "metadata/team", "a text, a number", "{}"),
        (noted(ownr="ann"), "metadata/switchover.ownr", "one of", "(did you mean switchover.owner?)"),
        (noted(owner=""), "metadata/switchover.owner", "a text that is not empty", '""'),
        (noted(owner=7), "metadata/switchover.owner", "a text that is not empty", "7"),
        (noted(created="2026-02-30"), "metadata/switchover.created", "a date like 2026-12-31", '"2026-02-30"'),
        (noted(expires="20261231"), "metadata/switchover.expires", "a date like 2026-12-31", '"20261231"'),
        (noted(expires="2026-12-31T00:00"), "metadata/switchover.expires", "a date like", "T00:00"),
        (noted(experiment=1), "metadata/switchover.experiment", "true or false", "1"),
        (noted(off="of"), "metadata/switchover.off", "one of on, off", "(did you mean off?)"),
        (noted(prerequisites="payments"), "metadata/switchover.prerequisites", "a JSON object", '"payments"'),
        (noted(prerequisites='{"payments": 1}'), "metadata/switchover.prerequisites", "a JSON object", "payments"),
        (noted(prerequisites='{"paymants": "new"}'), ASKED, "flags of the set", "payments?"),
        (noted(prerequisites='{"payments": "nev"}'), ASKED, "a variant of payments", "new?"),
        (
            noted(prerequisites='{"checkout": "on"}'),
            "metadata/switchover.prerequisites",
            "not lead in a circle",
            "checkout → checkout",
        ),
        (noted(killed_state="DISABLED"), "metadata/switchover.killed_state", "none without", "DISABLED"),
        (noted(kill="off"), "targeting", '{"if": [true, "off", …]} while killed', "an object"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_flag_is_told_with_its_place(
    parts: dict[str, Any], path: str, expected: str, found: str
) -> None:
    mistakes = [mistake for mistake in find_mistakes(parts) if mistake.path == f"flags/checkout/{path}"]
    assert mistakes, find_mistakes(parts)
    assert any(expected in mistake.expected and found in mistake.found for mistake in mistakes), mistakes
    with pytest.raises(InputError):
        require_sound(parts)


@pytest.mark.parametrize(
    ("key", "expected"),
    [("", "1 to 256"), ("a/b", "or /"), ("a\x00", "control"), ("a\u2028", "control"), ("x" * 257, "1 to 256")],
)
def test_a_key_is_short_and_printable(key: str, expected: str) -> None:
    (mistake,) = find_mistakes({f"flags/{key}": PAYMENTS})
    assert expected in mistake.expected
    (mistake,) = find_mistakes({f"$evaluators/{key}": {"if": [True, "a"]}})
    assert expected in mistake.expected


@pytest.mark.parametrize(
    ("parts", "path", "found"),
    [
        ({"flag/a": PAYMENTS}, "flag/a", '"flag/a"'),
        ({"flags": PAYMENTS}, "flags", '"flags"'),
        ({7: PAYMENTS}, "7", "7"),
        ({"flags/a": None}, "flags/a", "null"),
        ({"flags/a": [PAYMENTS]}, "flags/a", "a list"),
        ({"metadata/version": None}, "metadata/version", "null"),
        ({"metadata/switchover.owner": "ann"}, "metadata/switchover.owner", "switchover.owner"),
        ({"$evaluators/a": "on"}, "$evaluators/a", '"on"'),
        ({"$evaluators/a": {"!": [{"$ref": "b"}]}}, "$evaluators/a/!/0/$ref", '"b"'),
        (
            {"$evaluators/a": {"!": [{"$ref": "b"}]}, "$evaluators/b": {"!": [{"$ref": "a"}]}},
            "$evaluators/a",
            "a → b → a",
        ),
    ],
)
def test_a_mistake_around_the_flags_is_told_with_its_place(parts: dict[Any, Any], path: str, found: str) -> None:
    (mistake,) = find_mistakes(parts)
    assert mistake.path == path
    assert found in mistake.found


def test_prerequisites_in_a_circle_are_told_with_the_flags_of_the_circle() -> None:
    def asking(*others: str) -> dict[str, Any]:
        return {**PAYMENTS, "metadata": {"switchover.prerequisites": json.dumps(dict.fromkeys(others, "new"))}}

    parts = {"flags/x": asking("a"), "flags/a": asking("d", "b"), "flags/b": asking("c"), "flags/c": asking("a")}
    (mistake,) = find_mistakes({**parts, "flags/d": PAYMENTS})
    assert mistake.path == "flags/a/metadata/switchover.prerequisites"
    assert mistake.found == "a → b → c → a"


def test_evaluators_that_use_each_other_may_not_grow_past_the_limit_of_a_flag() -> None:
    parts: dict[str, Any] = {"$evaluators/e0": {"==": [{"var": "a"}, "b"]}}
    for number in range(1, 41):
        before = {"$ref": f"e{number - 1}"}
        parts[f"$evaluators/e{number}"] = {"or": [before, before]}
    parts["flags/a"] = {**PAYMENTS, "targeting": {"if": [{"$ref": "e40"}, "old", "new"]}}
    mistakes = find_mistakes(parts)
    assert {"flags/a/targeting", "$evaluators/e40"} <= {mistake.path for mistake in mistakes}
    assert all("references filled in" in mistake.expected for mistake in mistakes)


def test_evaluators_may_not_make_a_flag_deeper_than_the_limit() -> None:
    parts: dict[str, Any] = {"$evaluators/e0": {"!": [True]}}
    for number in range(1, 60):
        parts[f"$evaluators/e{number}"] = {"!": [{"$ref": f"e{number - 1}"}]}
    assert any("100 levels" in mistake.expected for mistake in find_mistakes(parts))


def nested(levels: int) -> Any:
    node: Any = "x"
    for _ in range(levels):
        node = {"!": node}
    return node


def test_a_flag_may_have_a_hundred_levels() -> None:
    def flag(levels: int) -> dict[str, Any]:
        return {"flags/a": {**PAYMENTS, "targeting": {"if": [nested(levels - 4), "old", "new"]}}}

    assert find_mistakes(flag(100)) == ()
    assert read_document(document(flags={"a": flag(100)["flags/a"]})) == flag(100)
    (mistake,) = find_mistakes(flag(101))
    assert (mistake.expected, mistake.path.count("!")) == ("at most 100 levels", 97)
    assert len(find_mistakes(flag(100_000))) == 1


def test_a_flag_may_have_a_megabyte() -> None:
    parts = {"flags/a": {**PAYMENTS, "variants": {"old": "v1", "new": "é" * 499_900}}}
    assert find_mistakes(parts) == ()
    parts["flags/a"]["variants"]["new"] += "é" * 100
    (mistake,) = find_mistakes(parts)
    assert (mistake.path, mistake.expected) == ("flags/a", "at most 1,000,000 bytes")


def test_the_first_mistakes_are_told_and_the_others_counted() -> None:
    with pytest.raises(InputError) as caught:
        require_sound({f"flags/f{number}": {**PAYMENTS, "state": "ON"} for number in range(9)})
    assert "9 mistakes" in caught.value.problem.failed
    assert "flags/f0/state: expected one of ENABLED, DISABLED, found" in caught.value.problem.found
    assert "f5" not in caught.value.problem.found


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["on", "off", "ENABLED", "inside", '{"payments": "new"}', "2026-01-01"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("state", "variants", "defaultVariant", "targeting", "metadata", "on", "off", "/", "$ref"),
                    *("switchover.kill", "switchover.prerequisites", "if", "and", "or", "==", "!", "fractional"),
                    *("var", "sem_ver", "missing"),
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
part_names = st.sampled_from([*SOUND, "flags/a", "$evaluators/", "metadata/x", "else"]) | st.text(max_size=8)


@given(st.dictionaries(part_names, json_values, max_size=5))
@settings(max_examples=400)
def test_any_json_is_judged_without_an_exception(parts: dict[str, Any]) -> None:
    for mistake in find_mistakes(parts):
        assert mistake.expected
        assert mistake.found
        assert len(mistake.found) < 400


def _places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, member in members for place in _places(member, (*path, key)))]


def _put(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(node) if isinstance(node, dict) else list(node)
    copy[path[0]] = _put(copy[path[0]], path[1:], value)
    return copy


@given(st.sampled_from(_places(SOUND)), json_values)
@settings(max_examples=400)
def test_a_sound_set_with_anything_at_one_place_is_judged_and_read_without_an_exception(
    place: tuple[Any, ...], value: Any
) -> None:
    parts = _put(SOUND, place, value)
    if isinstance(parts, dict):
        assert isinstance(find_mistakes(parts), tuple)
    flag = parts.get("flags/checkout") if isinstance(parts, dict) else None
    if isinstance(flag, dict):
        additions = read_additions(flag)
        assert all(isinstance(variant, str) for variant in additions.prerequisites.values())
        assert off_variant(flag) is None or off_variant(flag) in flag["variants"]


def document(**sections: Any) -> str:
    return json.dumps({"$schema": "https://flagd.dev/schema/v0/flags.json", **sections})


def test_a_document_is_read_into_its_parts() -> None:
    text = document(
        flags={"checkout": CHECKOUT, "payments": PAYMENTS}, **{"$evaluators": {"inside": INSIDE}}, metadata={"a": 1}
    )
    parts = {"flags/checkout": CHECKOUT, "flags/payments": PAYMENTS, "$evaluators/inside": INSIDE, "metadata/a": 1}
    assert read_document(text) == parts
    assert read_document(b"\xef\xbb\xbf" + text.encode()) == parts


def test_a_document_with_a_broken_flag_is_read_for_the_sake_of_the_others() -> None:
    parts = read_document(document(flags={"checkout": {"state": 7}, "payments": PAYMENTS}))
    assert find_mistakes(parts)[0].path == "flags/checkout/state"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "JSON in UTF-8"),
        ("{", "line 1 column 2"),
        (b"\xff{}", "invalid start byte"),
        ("[]", "an object with flags"),
        ('{"flags": []}', "flags"),
        ('{"flags": {}, "flagz": {}}', "did you mean flags"),
        ("{}", "flags by their keys"),
        ('{"flags": {"a": {"state": "ENABLED", "state": "DISABLED"}}}', "flags/a/state"),
        ('{"flags": {"a": {"x": NaN}}}', "flags/a/x"),
        ('{"flags": {"a": {"x": [-Infinity, 1e999]}}}', "flags/a/x/0"),
        ('{"flags": {"a": "\\ud800"}}', "half a surrogate"),
        ('{"flags": {"a": ' + "1" * 5000 + "}}", "JSON in UTF-8"),
        ('{"flags": ' * 200 + "1" + "}" * 200, "at most 104 levels"),
        ('{"flags": ' * 50_000, "more than 100 levels"),
        (" " * (MAX_SET_BYTES + 1), "10,000,001 bytes"),
        (b" " * (MAX_SET_BYTES + 1), "at most 10,000,000 bytes"),
        ("é" * 5_000_001, "10,000,002 bytes"),
    ],
)
def test_what_is_no_document_is_refused_with_the_reason(text: str | bytes, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_document(text)
    assert words in str(caught.value)


@given(st.binary(max_size=40) | st.text(max_size=40))
@settings(max_examples=200)
def test_any_text_is_read_or_refused(text: bytes | str) -> None:
    try:
        assert isinstance(read_document(text), dict)
    except InputError as refusal:
        assert refusal.problem.found  # noqa: PT017 - either of the two is right


def test_additions_are_read_as_they_stand() -> None:
    additions = read_additions(CHECKOUT)
    assert additions.owner == "ann"
    assert str(additions.expires) == "2027-02-28"
    assert additions.prerequisites == {"payments": "new"}
    assert (additions.off, additions.kill, additions.experiment) == ("off", None, True)


@pytest.mark.parametrize(
    ("flag", "off"),
    [
        (CHECKOUT, "off"),
        (PAYMENTS, None),
        ({"variants": {"a": False, "b": False}}, None),
        ({"variants": {"a": False, "b": False}, "metadata": {"switchover.off": "b"}}, "b"),
        ({"variants": {"a": False, "b": True}, "metadata": {"switchover.off": "gone"}}, "a"),
        ({"variants": {"a": 0, "b": 1}}, None),
        ({"variants": None}, None),
        ({}, None),
    ],
)
def test_what_a_kill_serves_is_stated_or_the_only_false_variant(flag: dict[str, Any], off: str | None) -> None:
    assert off_variant(flag) == off
