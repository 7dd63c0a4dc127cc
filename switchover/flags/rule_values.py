"""The values that rules for people are made of. Build them with `switchover.flags.rules`.

An audience is a yes or no about whoever asks. A rule is a list of audiences with what each of them gets, and what
everybody else gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

WHOLE: Final = 10_000
"""What the weights of a split made here add up to: a hundredth of a percent is 1."""

ON: Final = "on"
OFF: Final = "off"

Constant: TypeAlias = bool | int | float | str


class Audience:
    """A yes or no about whoever asks; one of the classes below."""

    __slots__ = ()

    def serve(self, variant: str) -> Rule:
        """This variant for them, and the flag's default variant for the others, until `otherwise` says more."""
        return Rule((Branch(self, variant),))

    def otherwise(self, other: Ending) -> Rule:
        """`on` for them; for the others a variant, a split, another audience or another rule."""
        return self.serve(ON).otherwise(other)


@dataclass(frozen=True, slots=True)
class When(Audience):
    """An attribute compared with a value; `op` is one of `switchover.flags.rule_json.OPERATORS`."""

    attribute: str
    op: str
    value: Constant | tuple[Constant, ...]


@dataclass(frozen=True, slots=True)
class Groups(Audience):
    """Whoever has one of these names in the list that is their attribute `groups`."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Percentage(Audience):
    """Whose bucket for this flag lies in the first `weight` hundredths of a percent, from 0 to 10000.

    The bucket is a matter of the flag's key and the targeting key alone: a higher weight holds everybody that a lower
    one holds, wherever in the rule it stands. 0 is nobody and 10000 everybody, with a targeting key or without.
    """

    weight: int

    @property
    def percent(self) -> float:
        """The weight in percent, a whole number where it is one."""
        return in_percent(self.weight, WHOLE)


@dataclass(frozen=True, slots=True)
class AnyOf(Audience):
    """Whoever is in at least one of these."""

    parts: tuple[Audience, ...]


@dataclass(frozen=True, slots=True)
class AllOf(Audience):
    """Whoever is in all of these."""

    parts: tuple[Audience, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """Variants with their weights: each context stays with its variant while the weights stay.

    Raising the first weight at the cost of the second takes the first variant from nobody.
    """

    shares: tuple[tuple[str, int], ...]

    @property
    def percents(self) -> Mapping[str, float]:
        """The share of each variant in percent."""
        total = sum(weight for _, weight in self.shares)
        return {variant: in_percent(weight, total) for variant, weight in self.shares}


@dataclass(frozen=True, slots=True)
class GradualRollout:
    """Rising percentages and which of them holds; it stands for that percentage wherever an audience can.

    Only the percentage that holds is stored in the flag. The steps belong to whoever raises it: `next` is what to
    store after this.
    """

    steps: tuple[int | float, ...]
    at: int

    @property
    def current(self) -> int | float:
        """The percentage that holds."""
        return self.steps[self.at]

    def next(self) -> GradualRollout | None:
        """One step further; None after the last one."""
        return GradualRollout(self.steps, self.at + 1) if self.at + 1 < len(self.steps) else None

    def otherwise(self, other: Ending) -> Rule:
        """As of the percentage that holds."""
        return self.audience.otherwise(other)

    @property
    def audience(self) -> Percentage:
        """Who has the feature now."""
        return Percentage(round(self.current * 100))


Outcome: TypeAlias = str | Split


@dataclass(frozen=True, slots=True)
class Branch:
    """What an audience gets."""

    audience: Audience
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Rule:
    """The first branch whose audience one is in decides; `last` where there is none, None: the default variant.

    A context without a targeting key is in no bucket: a split gives it the default variant, unless one variant of the
    split has the whole.
    """

    branches: tuple[Branch, ...] = ()
    last: Outcome | None = None

    def otherwise(self, other: Ending) -> Rule:
        """Replace what everybody else gets: a variant, a split, another audience (`on` or `off`) or another rule."""
        rest = as_rule(other)
        return _folded(Rule((*self.branches, *rest.branches), rest.last))


Ending: TypeAlias = Outcome | Audience | GradualRollout | Rule


def in_percent(weight: int, total: int) -> float:
    """A weight in percent of the total, a whole number where it is one."""
    percent = round(weight * 100 / total, 4) if total else 0
    return int(percent) if percent == int(percent) else percent


def as_rule(given: Ending, on: str = ON, off: str = OFF) -> Rule:
    """The rule that gives an audience `on` and the others `off`; a rule stays as it is."""
    if isinstance(given, Rule):
        return given
    if isinstance(given, GradualRollout):
        given = given.audience
    if not isinstance(given, Audience):
        return Rule((), given)
    return _rule_of(given, on, off)


def _rule_of(audience: Audience, on: str, off: str) -> Rule:
    """A percentage at the end becomes a split: that is how flagd's own examples are written, and quickest to ask."""
    if isinstance(audience, Percentage):
        return Rule((), Split(((on, audience.weight), (off, WHOLE - audience.weight))))
    if isinstance(audience, AnyOf):
        rest = _rule_of(audience.parts[-1], on, off)
        return Rule((*(Branch(part, on) for part in audience.parts[:-1]), *rest.branches), rest.last)
    if isinstance(audience, AllOf) and isinstance(audience.parts[-1], Percentage):
        narrowed = audience.parts[:-1]
        share = _rule_of(audience.parts[-1], on, off).last
        if share is not None:
            return Rule((Branch(narrowed[0] if len(narrowed) == 1 else AllOf(narrowed), share),), off)
    return Rule((Branch(audience, on),), off)


def _folded(rule: Rule) -> Rule:
    """A percentage as the last branch before a plain variant is a split of the two."""
    if rule.branches and isinstance(rule.last, str):
        last = rule.branches[-1]
        if isinstance(last.audience, Percentage) and isinstance(last.outcome, str) and last.outcome != rule.last:
            weight = last.audience.weight
            return Rule(rule.branches[:-1], Split(((last.outcome, weight), (rule.last, WHOLE - weight))))
    return rule
