"""The flags that the provider suite of the OpenFeature specification (Appendix F) asks for, and a few of our own."""

from __future__ import annotations

from typing import Any

ALLOWED = "5c3d8535-f81a-4478-a6d3-afaa4d51199e"
STRANGER = "f20bd32d-703b-48b6-bc8e-79d53c85134a"
TEMPLATE = {"showImages": True, "title": "Check out these pics!", "imagesPerPage": 100}


def flag(variants: dict[str, Any], default: str | None, *, state: str = "ENABLED", **more: Any) -> dict[str, Any]:
    return {"state": state, "variants": variants, "defaultVariant": default, **more}


def only_for(email: str, variant: str) -> dict[str, Any]:
    return {"if": [{"==": [{"var": "email"}, email]}, variant, None]}


_SWITCH = {"on": True, "off": False}
_WORDS = {"greeting": "hi", "parting": "bye"}
_NUMBERS = {"one": 1, "ten": 10}
_SHARES = {"tenth": 0.1, "half": 0.5}
_BALLMER = only_for("ballmer@macrosoft.com", "zero")

CANONICAL: dict[str, dict[str, Any]] = {
    "boolean-flag": flag(_SWITCH, "on"),
    "string-flag": flag(_WORDS, "greeting"),
    "integer-flag": flag(_NUMBERS, "ten"),
    "float-flag": flag(_SHARES, "half"),
    "large-integer-flag": flag({"one": 1, "max-int32": 2**31 - 1}, "max-int32"),
    "huge-integer-flag": flag({"one": 1, "max-safe": 2**53 - 1}, "max-safe"),
    "integral-float-flag": flag({"tenth": 0.1, "ten": 10.0}, "ten"),
    "boolean-zero-flag": flag({"zero": False, "non-zero": True}, "zero"),
    "integer-zero-flag": flag({"zero": 0, "non-zero": 1}, "zero"),
    "string-zero-flag": flag({"zero": "", "non-zero": "str"}, "zero"),
    "object-flag": flag({"empty": {}, "template": TEMPLATE}, "template"),
    "wrong-flag": flag({"one": "uno", "two": "dos"}, "one"),
    "disabled-boolean-flag": flag(_SWITCH, "on", state="DISABLED"),
    "disabled-string-flag": flag(_WORDS, "greeting", state="DISABLED"),
    "disabled-integer-flag": flag(_NUMBERS, "ten", state="DISABLED"),
    "disabled-float-flag": flag(_SHARES, "half", state="DISABLED"),
    "targeting-key-flag": flag(
        {"miss": "miss", "hit": "hit"},
        "miss",
        targeting={"if": [{"==": [{"var": "targetingKey"}, ALLOWED]}, "hit", None]},
    ),
    "changing-flag": flag({"foo": "foo", "bar": "bar"}, "foo"),
}

# What the specification's evaluation cases add.
EVALUATION: dict[str, dict[str, Any]] = {
    "float-zero-flag": flag({"zero": 0.0, "non-zero": 1.0}, "zero"),
    "object-zero-flag": flag({"zero": {}, "non-zero": TEMPLATE}, "zero"),
    "boolean-targeted-zero-flag": flag({"zero": False, "non-zero": True}, "zero", targeting=_BALLMER),
    "integer-targeted-zero-flag": flag({"zero": 0, "non-zero": 1}, "zero", targeting=_BALLMER),
    "float-targeted-zero-flag": flag({"zero": 0.0, "non-zero": 1.0}, "zero", targeting=_BALLMER),
    "string-targeted-zero-flag": flag({"zero": "", "non-zero": "str"}, "zero", targeting=_BALLMER),
    "object-targeted-zero-flag": flag({"zero": {}, "non-zero": TEMPLATE}, "zero", targeting=_BALLMER),
    "metadata-flag": flag(_SWITCH, "on", metadata={"string": "1.0.2", "integer": 2, "float": 0.1, "boolean": True}),
    "context-aware": flag(
        {"internal": "INTERNAL", "external": "EXTERNAL"},
        "external",
        targeting={"if": [{"==": [{"var": "customer"}, False]}, "internal", None]},
    ),
    "null-default-flag": flag(_SWITCH, None),
    "list-flag": flag({"three": [1, 2, 3]}, "three"),
    "broken-flag": flag(_SWITCH, "on", targeting={"if": [True, "nowhere"]}),
    "needs-boolean-flag": flag(
        _SWITCH, "on", metadata={"switchover.owner": "team a", "switchover.prerequisites": '{"boolean-flag": "off"}'}
    ),
}

FLAGS = CANONICAL | EVALUATION
DOCUMENT = {"flags": FLAGS}
