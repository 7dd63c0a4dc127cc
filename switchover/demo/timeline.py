"""The timeline picture: who answered the users, how many answers failed, and what happened when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from switchover.demo.load_report import LoadReport
from switchover.demo.promises import Played
from switchover.demo.records import Kind, PhaseRecord
from switchover.model import Phase

FORMATS = ("svg", "png")

# Okabe and Ito's palette: told apart with every kind of colour vision. Sound releases are cool, bad ones warm
# and hatched, so that the difference does not hang on colour alone.
_SOUND = ("#56B4E9", "#0072B2", "#009E73", "#CC79A7")
_BAD = ("#D55E00", "#E69F00", "#F0E442")
_INK = "#333333"
_FAINT = "#dddddd"
_BAD_KINDS = (Kind.BAD, Kind.UNSEEN, Kind.SLOW)
_DOTS_PER_INCH = 140
_LOWEST_ERROR_SCALE = 3.0


def draw_timeline(folder: Path, played: Sequence[Played], load: LoadReport) -> tuple[Path, ...]:
    """Write `timeline.svg` and `timeline.png` into `folder`; nothing when no request was ever answered."""
    if not load.intervals:
        return ()
    records = [record for record, _ in played]
    # A figure without pyplot needs no window and keeps no state.
    figure = Figure(figsize=(12.5, 6.4), layout="constrained")
    traffic, errors = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _draw_traffic(traffic, records, load)
    _draw_errors(errors, load)
    _mark_phases(traffic, errors, records, load.intervals[0].begin)
    for axes in (traffic, errors):
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="upper left", bbox_to_anchor=(1.005, 1.0), frameon=False, borderaxespad=0.0)
    figure.suptitle("Who answered the users, second by second", x=0.01, ha="left", fontsize=13, color=_INK)
    paths = tuple(folder / f"timeline.{kind}" for kind in FORMATS)
    for path in paths:
        figure.savefig(path, dpi=_DOTS_PER_INCH)
    return paths


def _draw_traffic(axes: Axes, records: Sequence[PhaseRecord], load: LoadReport) -> None:
    bad = {record.scene.version for record in records if record.scene.kind in _BAD_KINDS}
    versions = sorted({version for part in load.intervals for version in part.versions}, key=_version_key)
    edges = _edges(load)
    bottom = [0.0] * len(load.intervals)
    styles = _sound_styles(), _bad_styles()
    for version in versions:
        counts = ((part.versions.get(version), part.finished) for part in load.intervals)
        shares = [_share(count.requests, whole) if count else 0.0 for count, whole in counts]
        top = [low + share for low, share in zip(bottom, shares, strict=True)]
        axes.stairs(top, edges, baseline=bottom, fill=True, label=version, **next(styles[version in bad]))
        bottom = top
    axes.set_ylim(0, 100)
    axes.set_xlim(0, edges[-1])
    axes.set_ylabel("share of the traffic, %")


def _sound_styles() -> Iterator[dict[str, Any]]:
    return ({"facecolor": colour, "edgecolor": "none"} for colour in cycle(_SOUND))


def _bad_styles() -> Iterator[dict[str, Any]]:
    return ({"facecolor": colour, "edgecolor": _INK, "hatch": "////", "linewidth": 0.4} for colour in cycle(_BAD))


def _draw_errors(axes: Axes, load: LoadReport) -> None:
    failed = [_share(part.failed, part.finished) for part in load.intervals]
    slow = [_share(part.slow, part.finished) for part in load.intervals]
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=_FAINT, linewidth=0.6)
    axes.stairs(failed, _edges(load), fill=True, color=_BAD[0], label="failed")
    axes.stairs(slow, _edges(load), color=_INK, linewidth=1.2, linestyle=(0, (2, 1)), label="slow")
    axes.set_ylim(0, max(_LOWEST_ERROR_SCALE, 1.15 * max(*failed, *slow)))
    axes.set_ylabel("requests, %")
    axes.set_xlabel("seconds under load")


def _mark_phases(traffic: Axes, errors: Axes, records: Sequence[PhaseRecord], begin: float) -> None:
    retreats: list[float] = []
    kills: list[float] = []
    for record in records:
        start, end = max(0.0, record.begin - begin), record.end - begin
        if end <= 0:
            continue  # before there was any load
        for axes in (traffic, errors):
            axes.axvline(start, color=_INK, linewidth=0.8, linestyle=":")
        text = f"{record.scene.number}. {record.scene.title}"
        traffic.annotate(text, (start, 1.01), xycoords=("data", "axes fraction"), rotation=30, fontsize=8.5, color=_INK)
        retreat = record.rollout.entered(Phase.RETREATING) if record.rollout else None
        retreats += [retreat - begin] if retreat else []
        kills += [record.triggered_at - begin] if record.triggered_at and record.scene.kind is Kind.KILLED else []
    look: dict[str, Any] = {"linestyle": "none", "color": "white", "markeredgecolor": _INK, "markersize": 8}
    traffic.plot(retreats, [96.0] * len(retreats), marker="v", label="verdict: back", **look)
    traffic.plot(kills, [96.0] * len(kills), marker="X", label="SIGKILL", **look)


def _edges(load: LoadReport) -> list[float]:
    begin = load.intervals[0].begin
    return [part.begin - begin for part in load.intervals] + [load.intervals[-1].end - begin]


def _share(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
