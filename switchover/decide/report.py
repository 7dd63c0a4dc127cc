"""Plans, traffic and verdicts as Markdown, for artifacts and pull requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from switchover.decide.deployment import DeployPlan
from switchover.decide.rollback import RollbackPlan
from switchover.model import HistoryEntry, Observation, Verdict

_ROWS = 60


@dataclass(frozen=True, slots=True)
class Look:
    """One look of a watch, for the record: the share of the new colour, what was seen, what was judged."""

    canary_percent: int
    observation: Observation
    verdict: Verdict


def render_deploy_plan(plan: DeployPlan) -> str:
    """The plan of a deployment."""
    lines = [
        f"## {plan.release.service} {plan.release.version} → {plan.environment}",
        "",
        f"{plan.reason}.",
        "",
        "| | |",
        "|---|---|",
        f"| action | {plan.action} |",
        f"| strategy | {plan.strategy}: {render_steps(plan)} |",
        f"| colour | {plan.old_colour or 'nothing'} ({plan.old_version or '–'}) → {plan.new_colour} |",
        f"| replicas | {plan.workload.replicas} |",
        f"| artifact | `{plan.release.artifact.digest}` |",
        f"| commit | `{plan.release.source_commit}` |",
        f"| migrations | {', '.join(each.step for each in plan.migrations) or 'none'} before it starts |",
        f"| smoke tests | {', '.join(test.name for test in plan.smoke_tests) or 'none'} |",
        f"| approval | {render_approval(plan)} |",
        f"| bake | {plan.bake_seconds:g} s with the old colour warm |",
    ]
    return "\n".join(lines) + "\n"


def render_approval(plan: DeployPlan) -> str:
    """Whether a person is asked, and for how long."""
    return "not asked for" if plan.approval_seconds is None else f"by a person, within {plan.approval_seconds:g} s"


def render_steps(plan: DeployPlan) -> str:
    """The steps in one line, as `10 % for 60 s → 100 %`."""
    return " → ".join(
        f"{step.canary_percent} %" + (f" for {step.hold_seconds:g} s" if step.hold_seconds else "")
        for step in plan.steps
    )


def render_rollback_plan(plan: RollbackPlan) -> str:
    """The plan of a rollback."""
    lines = [
        f"## {plan.service}: {plan.way}",
        "",
        f"{plan.reason}.",
        "",
        "| | |",
        "|---|---|",
        f"| serves afterwards | {plan.serve or 'nothing'} ({plan.serve_version or '–'}) |",
        f"| emptied | {plan.empty or 'nothing'} |",
        f"| started first | {plan.release.version if plan.release else 'nothing'} |",
        f"| migrations | {', '.join(f'{each.step} of {each.release.version}' for each in plan.migrations) or 'none'} |",
    ]
    return "\n".join(lines) + "\n"


def render_timeline(looks: Sequence[Look]) -> str:
    """Traffic and verdicts over time, at most 60 rows: every change of share or standing, the rest thinned out."""
    if not looks:
        return "Nothing was watched.\n"
    began = looks[0].observation.at
    head = [
        "| s | new colour | its requests | errors | slow | live requests | errors | slow | verdict |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    rows = [_row(look, look.observation.at - began) for look in _thinned(looks)]
    return "\n".join([*head, *rows, "", f"Last verdict: {looks[-1].verdict}"]) + "\n"


def render_history_entry(entry: HistoryEntry) -> str:
    """The outcome of a rollout with its reasons."""
    head = f"## {entry.service} {entry.to_version}: {entry.outcome}"
    took = f"{entry.kind} from {entry.from_version or 'nothing'}, {entry.ended_at - entry.started_at:.1f} s"
    reasons = (f"- **{reason.rule}**: {reason.message}" for reason in entry.reasons)
    return "\n".join([head, "", took, "", *reasons]) + "\n"


def _row(look: Look, seconds: float) -> str:
    canary, live = look.observation.canary, look.observation.live
    cells = (
        f"{seconds:.0f}",
        f"{look.canary_percent} %",
        canary.requests,
        canary.errors,
        canary.slow,
        live.requests,
        live.errors,
        live.slow,
        look.verdict.standing,
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _thinned(looks: Sequence[Look]) -> list[Look]:
    stride = -(-len(looks) // _ROWS)
    return [look for index, look in enumerate(looks) if index % stride == 0 or index == len(looks) - 1]
