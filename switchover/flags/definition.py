"""Whether a flag set may be stored, and reading one from text.

`find_mistakes` refuses what flagd's published schema refuses, and what the schema cannot see: variants that do not
exist, references and prerequisites that lead nowhere or in a circle, weights that no evaluator takes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from switchover.errors import InputError
from switchover.flags.additions import PREFIX
from switchover.flags.definition_additions import check_metadata_value, check_prerequisites
from switchover.flags.definition_flag import check_flag
from switchover.flags.definition_mistakes import (
    Mistake,
    below,
    check_json,
    check_name,
    one_of,
    show,
    show_near,
)
from switchover.flags.definition_results import check_expanded, check_references, weigh_evaluators
from switchover.flags.definition_targeting import check_rule
from switchover.flags.flag_size import MAX_FLAG_BYTES, MAX_SET_BYTES, json_bytes
from switchover.flags.json_values import MAX_DEPTH, is_unicode
from switchover.flags.snapshot import SECTIONS, Json, Part, parts_of

__all__ = [
    "MAX_FLAG_BYTES",
    "MAX_SET_BYTES",
    "Mistake",
    "find_mistakes",
    "read_document",
    "read_stored",
    "require_sound",
]

TOLD: Final = 5
"""So many mistakes are told at once."""

LEVELS_ABOVE: Final = 4
"""What a flag of a document may have more than its own levels: the document, its section, and a kill's two."""

_IGNORED: Final = "$schema"
_NEXT: Final = "correct it and call again"


def find_mistakes(parts: Mapping[Part, object]) -> tuple[Mistake, ...]:
    """Everything that is wrong with a set, in the order of its parts; nothing: it may be stored. Never raises."""
    return tuple(_find(parts))


def require_sound(parts: Mapping[Part, object]) -> None:
    """Raise `InputError` with the first mistakes of the set where it has any."""
    mistakes = find_mistakes(parts)
    if mistakes:
        raise _refusal(mistakes)


def read_document(text: str | bytes) -> dict[Part, Json]:
    """The parts of a set that is written as flagd writes it, at most 10 MB of JSON in UTF-8.

    Raises `InputError` for what is no JSON (with NaN, a name given twice in an object, too many levels) and for what
    is not laid out as a set. Whether each flag is sound is for `require_sound` to say.
    """
    document, mistakes = _read_layout(text)
    return _take([*mistakes, *check_json("", document, MAX_DEPTH + LEVELS_ABOVE)], document)


def read_stored(text: str | bytes) -> dict[Part, Json]:
    """`read_document` for a set that is there already, so that one broken flag does not take the others along.

    A part with too many levels, half a surrogate pair or a number past all bounds is handed on: its flag alone is
    broken. Raises `InputError` as well for what is no JSON, like NaN.
    """
    document, mistakes = _read_layout(text, parse_constant=_refuse_constant)
    return _take(mistakes, document)


def _read_layout(
    text: str | bytes, parse_constant: Callable[[str], object] | None = None
) -> tuple[object, list[Mistake]]:
    size = len(text) if isinstance(text, bytes) else len(text.encode(errors="surrogatepass"))
    if size > MAX_SET_BYTES:
        raise InputError(
            "the flag set is too large",
            expected=f"at most {MAX_SET_BYTES:,} bytes",
            found=f"{size:,} bytes",
            next_step="split the set, or take out what nobody asks for any more",
        )
    document, has_repetitions = _parse(text, parse_constant)
    return document, [*_check_layout(document), *(_find_repeated("", document) if has_repetitions else ())]


def _take(mistakes: list[Mistake], document: object) -> dict[Part, Json]:
    if mistakes or not isinstance(document, dict):
        raise _refusal(tuple(mistakes))
    return parts_of(document)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name}, which JSON does not have")


class _Repeated(dict[str, object]):
    """An object in which a name was given more than once."""

    name: str = ""


def _parse(text: str | bytes, parse_constant: Callable[[str], object] | None) -> tuple[object, bool]:
    """The document, and whether an object in it gives a name twice."""
    repetitions = []

    def build(members: list[tuple[str, object]]) -> dict[str, object]:
        plain = dict(members)
        if len(plain) == len(members):
            return plain
        repeated = _Repeated(plain)
        repeated.name = Counter(name for name, _ in members).most_common(1)[0][0]
        repetitions.append(repeated)
        return repeated

    try:
        whole = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        document = json.loads(whole, object_pairs_hook=build, parse_constant=parse_constant)
        return document, bool(repetitions)
    except RecursionError:
        found = f"more than {MAX_DEPTH} levels, many more"
    except ValueError as why:
        found = str(why)
    raise InputError("the flag set cannot be read", expected="JSON in UTF-8", found=found, next_step=_NEXT)


def _find_repeated(path: str, node: object) -> Iterator[Mistake]:
    todo = [(path, node)]
    while todo:
        at, here = todo.pop()
        if isinstance(here, dict):
            if isinstance(here, _Repeated):
                yield Mistake(below(at, here.name), "each name once in an object", "it twice")
            todo += [(below(at, name), member) for name, member in here.items()]
        elif isinstance(here, list):
            todo += [(below(at, index), member) for index, member in enumerate(here)]


def _check_layout(document: object) -> Iterator[Mistake]:
    if not isinstance(document, dict):
        yield Mistake("the document", "an object with flags", show(document))
        return
    for name, section in document.items():
        if name not in (*SECTIONS, _IGNORED):
            yield Mistake(name, one_of(SECTIONS), show_near(name, SECTIONS))
        elif name in SECTIONS and not isinstance(section, dict):
            yield Mistake(name, "an object", show(section))
        elif isinstance(section, dict) and not all(map(is_unicode, section)):
            yield Mistake(name, "names that are Unicode text", "half a surrogate pair in one")
    if "flags" not in document:
        yield Mistake("flags", "an object with the flags by their keys", "none")


def _find(parts: Mapping[Part, object]) -> Iterator[Mistake]:
    sections: dict[str, dict[str, object]] = {section: {} for section in SECTIONS}
    for part, value in parts.items():
        section, slash, name = part.partition("/") if isinstance(part, str) else (str(part), "", "")
        if section not in sections or not slash:
            yield Mistake(str(part), f"a part of {one_of(SECTIONS)}, like flags/checkout", show(part))
        else:
            sections[section][name] = value
    flags, rules = sections["flags"], sections["$evaluators"]
    yield from _check_set_metadata(sections["metadata"])
    sound: dict[str, object] = {}
    for name, rule in rules.items():
        mistakes = list(_check_evaluator(name, rule, rules))
        yield from mistakes
        if not mistakes:
            sound[name] = rule
    evaluators, circles = weigh_evaluators(sound)
    for circle in circles:
        yield Mistake(below("$evaluators", circle[0]), "references that do not lead in a circle", " → ".join(circle))
    for name, rule in sound.items():
        yield from check_expanded(below("$evaluators", name), rule, evaluators)
    for key, flag in flags.items():
        yield from check_name(below("flags", key), key, what="a key")
        yield from check_flag(below("flags", key), flag, rules, evaluators)
    yield from check_prerequisites({key: flag for key, flag in flags.items() if isinstance(flag, dict)})


def _check_evaluator(name: str, rule: object, rules: Mapping[str, object]) -> Iterator[Mistake]:
    path = below("$evaluators", name)
    broken = [*check_name(path, name, what="a name"), *check_json(path, rule)]
    yield from broken
    if broken or rule == {}:
        return
    size = json_bytes(rule)
    if size > MAX_FLAG_BYTES:
        yield Mistake(path, f"at most {MAX_FLAG_BYTES:,} bytes", f"{size:,} bytes")
        return
    yield from check_rule(path, rule)
    yield from check_references(path, rule, rules)


def _check_set_metadata(metadata: Mapping[str, object]) -> Iterator[Mistake]:
    for name, value in metadata.items():
        path = below("metadata", name)
        yield from check_name(path, name, what="a name")
        yield from check_json(path, value)
        yield from check_metadata_value(path, value)
        if name.startswith(PREFIX):
            yield Mistake(path, f"names outside {PREFIX}, which only flags have", show(name))


def _refusal(mistakes: tuple[Mistake, ...]) -> InputError:
    if len(mistakes) == 1:
        only = mistakes[0]
        failed = f"the flag set has a mistake at {only.path}"
        return InputError(failed, expected=only.expected, found=only.found, next_step=_NEXT)
    told = "; ".join(map(str, mistakes[:TOLD])) + ("; …" if len(mistakes) > TOLD else "")
    return InputError(
        f"the flag set has {len(mistakes)} mistakes",
        expected="a set in flagd's schema",
        found=told,
        next_step="correct them and call again",
    )
