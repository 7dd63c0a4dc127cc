"""What every scenario measured, in one JSON file: the list that `make e2e` prints in the end."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

VARIABLE = "SWITCHOVER_E2E_FIGURES"
DEFAULT = Path(__file__).resolve().parents[3] / ".switchover" / "e2e-figures.json"

Figure = str | int | float | bool | None | dict[str, int] | dict[str, float] | list[float] | list[str]


def note_figures(scenario: str, **figures: Figure) -> None:
    """Add what a scenario measured; several processes may do so at once. Seconds are rounded to milliseconds."""
    file = Path(os.environ.get(VARIABLE) or DEFAULT)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        text = stream.read()
        noted = json.loads(text) if text else []
        noted.append({"scenario": scenario, **{name: _rounded(value) for name, value in figures.items()}})
        stream.seek(0)
        stream.truncate()
        stream.write("[\n" + ",\n".join(json.dumps(each) for each in noted) + "\n]\n")


def _rounded(value: Figure) -> Figure:
    return round(value, 3) if isinstance(value, float) else value
