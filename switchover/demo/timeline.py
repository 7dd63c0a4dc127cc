"""The timeline picture: who answered the users, how many answers failed, and what happened when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from switchover.demo.load_report import LoadReport
from switchover.demo.promises import Played
from switchover.demo.records import Kind, PhaseRecord
from switchover.model import Phase

mpl.use("Agg")  # no window, on no machine

# ruff: noqa: E402 the drawing surface is chosen before anything draws
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart with every kind of colour vision. Sound releases are cool, bad ones warm
# and hatched, so that the difference does not hang on colour alone.
_SOUND = ("#56B4E9", "#0072B2", "#009E73", "#CC79A7")
_BAD = ("#D55E00", "#E69F00", "#F0E442")
_INK = "#333333"
_BAD_KINDS = (Kind.BAD, Kind.UNSEEN, Kind.SLOW)
FORMATS = ("svg", "png")
_DOTS_PER_INCH = 140


def draw_timeline(folder: Path, played: Sequence[Played], load: LoadReport) -> tuple[Path, ...]:
    """Write `timeline.svg` and `timeline.png` into `folder`; nothing when no request was ever answered."""
    if not load.intervals:
        return ()
    begin = load.intervals[0].begin
    records = [record for record, _ in played]
    figure = Figure(figsize=(12, 6.2), layout="constrained")
    traffic, errors = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _draw_traffic(traffic, records, load, begin)
    _draw_errors(errors, load, begin)
    _mark_phases(traffic, errors, records, begin)
    figure.suptitle("Who answered the users, second by second", x=0.01, ha="left", fontsize=13, color=_INK)
    paths = tuple(folder / f"timeline.{kind}" for kind in FORMATS)
    for path in paths:
        figure.savefig(path, dpi=_DOTS_PER_INCH)
    return paths


def _draw_traffic(axes: Axes, records: Sequence[PhaseRecord], load: LoadReport, begin: float) -> None:
    bad = {record.scene.version for record in records if record.scene.kind in _BAD_KINDS}
    versions = sorted({version for part in load.intervals for version in part.versions}, key=_version_key)
    edges = [part.begin - begin for part in load.intervals] + [load.intervals[-1].end - begin]
    bottom = [0.0] * len(load.intervals)
    sound, warm = iter(_SOUND * 3), iter(_BAD * 3)
    for version in versions:
        shares = [_share(part.versions[version].requests, part.finished) if version in part.versions else 0.0
                  for part in load.intervals]
        top = [low + share for low, share in zip(bottom, shares, strict=True)]
        style: dict[str, Any] = {"color": next(sound), "edgecolor": "none"}
        if version in bad:
            style = {"facecolor": next(warm), "edgecolor": _INK, "hatch": "////", "linewidth": 0.4}
        axes.stairs(top, edges, baseline=bottom, fill=True, label=version, **style)
        bottom = top
    axes.set_ylim(0, 100)
    axes.set_ylabel("share of the traffic, %")
    axes.legend(title="release", loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    axes.set_xlim(0, edges[-1])


def _draw_errors(axes: Axes, load: LoadReport, begin: float) -> None:
    edges = [part.begin - begin for part in load.intervals] + [load.intervals[-1].end - begin]
    failed = [_share(part.failed, part.finished) for part in load.intervals]
    slow = [_share(part.slow, part.finished) for part in load.intervals]
    axes.stairs(failed, edges, fill=True, color=_BAD[0], label="failed")
    axes.stairs(slow, edges, color=_INK, linewidth=1.2, linestyle=(0, (2, 1)), label="slow", baseline=None)
    axes.set_ylim(0, max(3.0, 1.15 * max(*failed, *slow)))
    axes.set_ylabel("requests, %")
    axes.set_xlabel("seconds under load")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)


def _mark_phases(traffic: Axes, errors: Axes, records: Sequence[PhaseRecord], begin: float) -> None:
    for record in records:
        start, end = record.begin - begin, record.end - begin
        if end <= 0:
            continue
        for axes in (traffic, errors):
            axes.axvline(max(0.0, start), color=_INK, linewidth=0.8, linestyle=":")
        traffic.annotate(
            _label(record),
            ((max(0.0, start) + end) / 2, 1.01),
            xycoords=("data", "axes fraction"),
            ha="left",
            va="bottom",
            rotation=28,
            fontsize=8.5,
            color=_INK,
        )
        retreat = record.rollout.entered(Phase.RETREATING) if record.rollout else None
        if retreat is not None:
            traffic.plot([retreat - begin], [97], marker="v", markersize=8, color="white", markeredgecolor=_INK)
    for axes in (traffic, errors):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)


def _label(record: PhaseRecord) -> str:
    return f"{record.scene.number}. {record.scene.title}"


def _share(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
