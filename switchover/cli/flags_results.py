"""`switchover flags results`: what an experiment has found, which may be looked at every day."""

from __future__ import annotations

from pathlib import Path

import click

from switchover.cli.flags_place import find_place, place_options
from switchover.cli.output import emit
from switchover.cli.tables import render_table
from switchover.flags.anytime import Interval
from switchover.flags.results import Comparison, Results, VariantResult
from switchover.operations.flag_results import read_results

_HEAD = ("variant", "users", "converted", "rate", "between", "against control", "between", "verdict")


@click.command()
@click.argument("name")
@click.option("--event", required=True, help="What counts as a success, as `client.track` names it.")
@click.option("--control", help="The variant that the others are compared with; what `off` serves if absent.")
@click.option("--alpha", type=float, default=0.05, show_default=True, help="The promised share of wrong verdicts.")
@place_options
def results(
    name: str,
    event: str,
    control: str | None,
    alpha: float,
    store: str | None,
    config_path: Path | None,
    *,
    as_json: bool,
) -> None:
    """Show what an experiment has found so far.

    The intervals hold however often somebody looks, so a verdict may be acted on the day it appears.
    """
    found = read_results(find_place(store, config_path), name, event, alpha, control)
    emit(found.to_json(), _render(found), as_json=as_json)


def _render(found: Results) -> str:
    compared = {each.variant: each for each in found.comparisons}
    rows = [_row(found, variant, compared.get(variant.name)) for variant in found.variants]
    head = f"{found.flag} by {found.event}: {found.verdict}"
    lines = [head, *(f"  {reason}" for reason in found.reasons)]
    if rows:
        lines.append(render_table(_HEAD, rows))
    lines += [f"warning: {warning}" for warning in found.warnings]
    return "\n".join(lines)


def _row(found: Results, variant: VariantResult, compared: Comparison | None) -> tuple[str, ...]:
    first = (
        variant.name,
        str(variant.units),
        str(variant.converted),
        f"{variant.rate:.2%}",
        _interval(variant.rate_interval, ".2%"),
    )
    if compared is None:
        return (*first, "control" if variant.name == found.control else "-", "-", "-")
    return (
        *first,
        f"{compared.difference:+.2%}",
        _interval(compared.difference_interval, "+.2%"),
        str(compared.verdict),
    )


def _interval(interval: Interval, form: str) -> str:
    return f"{interval.low:{form}} to {interval.high:{form}}"
