"""Which variants a targeting rule can name, and the evaluators behind its references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from switchover.flags.definition_mistakes import Mistake, below, show, show_near
from switchover.flags.flag_size import MAX_FLAG_BYTES, json_bytes
from switchover.flags.json_values import MAX_DEPTH

Found: TypeAlias = "tuple[str, object]"
"""Where a result stands and what it is: a constant, or the `$ref` whose result it is."""

TRUE_OR_FALSE: Final = frozenset(
    (
        *("==", "===", "!=", "!==", "<", "<=", ">", ">=", "!", "!!", "in", "all", "none", "some"),
        *("starts_with", "ends_with", "sem_ver"),
    )
)
_CONSTANT: Final = (str, bool, int, float)


@dataclass(frozen=True, slots=True)
class Evaluator:
    """What its users need to know: the results, and the size and depth with all references filled in."""

    results: frozenset[str]
    size: int
    depth: int


def find_results(path: str, rule: object) -> Iterator[Found]:
    """Each constant that the rule can give, and each reference whose result it gives, with its path."""
    if isinstance(rule, list):
        yield path, rule
    elif not isinstance(rule, dict):
        if rule is not None:
            yield path, rule
    elif set(rule) == {"$ref"}:
        yield path, rule
    elif len(rule) == 1:
        [(operator, given)] = rule.items()
        arguments = given if isinstance(given, list) else [given]
        yield from _results_of(below(path, operator), operator, arguments)


def _results_of(path: str, operator: str, arguments: list[object]) -> Iterator[Found]:
    if operator in {"if", "and", "or"}:
        last = len(arguments) - 1
        for index, argument in enumerate(arguments):
            if index == last or _may_be_result(operator, index, argument):
                yield from find_results(below(path, index), argument)
    elif operator == "fractional":
        for index, share in enumerate(arguments):
            if isinstance(share, list) and share:
                yield from find_results(below(path, index, 0), share[0])
    elif operator in TRUE_OR_FALSE:
        yield from ((path, True), (path, False))


def _may_be_result(operator: str, index: int, argument: object) -> bool:
    """Whether an argument other than the last can be what the operation gives as a variant."""
    return index % 2 == 1 if operator == "if" else operator == "or" and isinstance(argument, str | dict)


def variant_named(result: object) -> str | None:
    """The variant that a constant result names, as flagd reads it; None for what can name none."""
    if isinstance(result, bool):
        return str(result).lower()
    return str(result) if isinstance(result, _CONSTANT) else None


def check_results(
    path: str, rule: object, variants: Mapping[str, object], evaluators: Mapping[str, Evaluator]
) -> Iterator[Mistake]:
    """Every constant result has to be a variant of the flag."""
    for at, result in find_results(path, rule):
        if isinstance(result, dict):
            name = result["$ref"]
            evaluator = evaluators.get(name) if isinstance(name, str) else None
            for named in sorted(evaluator.results - set(variants)) if evaluator else ():
                yield Mistake(at, f"an evaluator that gives {_variants(variants)}", f"{show(named)} by {show(name)}")
        elif (named_here := variant_named(result)) is None:
            yield Mistake(at, _variants(variants), show(result))
        elif named_here not in variants:
            yield Mistake(at, _variants(variants), show_near(named_here, variants))


def _variants(variants: Mapping[str, object]) -> str:
    shown = ", ".join(str(name)[:60] for name in list(variants)[:12])
    return f"a variant of the flag ({shown}{' …' if len(variants) > 12 else ''})"  # noqa: PLR2004


def find_references(path: str, rule: object) -> Iterator[tuple[str, str]]:
    """Where the rule refers to an evaluator, and which."""
    for names, found in _references(rule, ()):
        yield below(path, *names), found


def _references(node: object, names: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(node, dict):
        name = node.get("$ref")
        if len(node) == 1 and isinstance(name, str):
            yield names, name
            return
        for key, member in node.items():
            if isinstance(member, dict | list):
                yield from _references(member, (*names, str(key)))
    elif isinstance(node, list):
        for index, member in enumerate(node):
            if isinstance(member, dict | list):
                yield from _references(member, (*names, index))


def check_references(path: str, rule: object, names: Mapping[str, object]) -> Iterator[Mistake]:
    """Every reference has to lead to an evaluator of the set."""
    for at, name in find_references(path, rule):
        if name not in names:
            yield Mistake(below(at, "$ref"), "the name of an evaluator in $evaluators", show_near(name, names))


def check_expanded(
    path: str, rule: object, evaluators: Mapping[str, Evaluator], deepest: int = MAX_DEPTH
) -> Iterator[Mistake]:
    """With its references filled in, as flagd fills them in, a rule has to stay within the limits of a flag."""
    used = [(at, evaluators[name]) for at, name in find_references("", rule) if name in evaluators]
    if sum(evaluator.size for _, evaluator in used) > MAX_FLAG_BYTES:
        yield Mistake(path, f"at most {MAX_FLAG_BYTES:,} bytes with its references filled in", "more")
    if any(_levels(at) + evaluator.depth > deepest for at, evaluator in used):
        yield Mistake(path, f"at most {deepest} levels with its references filled in", "more")


def weigh_evaluators(rules: Mapping[str, object]) -> tuple[dict[str, Evaluator], tuple[tuple[str, ...], ...]]:
    """The evaluators whose references lead somewhere and not in a circle, and each circle there is, by name."""
    uses = {name: sorted({used for _, used in find_references("", rule)} & set(rules)) for name, rule in rules.items()}
    circles = find_circles(uses)
    done: dict[str, Evaluator] = {}
    for name in _leaves_first(uses):
        done[name] = _weigh(rules[name], done)
    return done, circles


def _weigh(rule: object, known: Mapping[str, Evaluator]) -> Evaluator:
    used = [(at, known[name]) for at, name in find_references("", rule) if name in known]
    results: set[str] = set()
    for _, result in find_results("", rule):
        if isinstance(result, dict):
            results |= known[result["$ref"]].results if result["$ref"] in known else set()
        else:
            results.add(variant_named(result) or show(result))
    # The numbers stop growing past the limits: forty evaluators that use each other twice would be a million million.
    size = min(json_bytes(rule) + sum(evaluator.size for _, evaluator in used), MAX_FLAG_BYTES + 1)
    depths = [_levels(at) + evaluator.depth for at, evaluator in used]
    return Evaluator(frozenset(results), size, min(max([_depth(rule), *depths]), MAX_DEPTH + 1))


def _levels(path: str) -> int:
    return path.count("/") + 1


def _depth(node: object) -> int:
    members = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return 1 + max((_depth(member) for member in members), default=0)


def _leaves_first(uses: Mapping[str, list[str]]) -> Iterator[str]:
    """Each name after all that it uses; what is in a circle, or uses one, is left out."""
    waiting = {name: set(used) for name, used in uses.items()}
    users: dict[str, list[str]] = {}
    for name, used in uses.items():
        for each in used:
            users.setdefault(each, []).append(name)
    ready = [name for name, used in waiting.items() if not used]
    while ready:
        name = ready.pop()
        yield name
        for user in users.get(name, ()):
            waiting[user].discard(name)
            if not waiting[user]:
                ready.append(user)


def find_circles(uses: Mapping[str, list[str]]) -> tuple[tuple[str, ...], ...]:
    """A circle for each group of names that lead back to themselves, from its first name to that name again."""
    circles: list[tuple[str, ...]] = []
    finished: set[str] = set()
    for start in uses:
        trail: dict[str, Iterator[str]] = {} if start in finished else {start: iter(uses[start])}
        while trail:
            here = next(reversed(trail))
            step = next((name for name in trail[here] if name not in finished and name in uses), None)
            if step is None:
                finished.add(here)
                del trail[here]
            elif step in trail:
                names = list(trail)
                circles.append((*names[names.index(step) :], step))
            else:
                trail[step] = iter(uses[step])
    return tuple(circles)
