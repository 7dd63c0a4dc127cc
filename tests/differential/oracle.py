"""The real engines of changesets and semver, asked in one process for thousands of answers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.real_parts.node import BIN, environment, installed

_SECONDS = 120


def ask(questions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """An answer for each question, in their order: `answer` or `error`."""
    script = Path(__file__).with_name("oracle.mjs")
    done = subprocess.run(
        [str(BIN / "node"), str(script), str(installed("changesets"))],
        input="".join(f"{json.dumps(question)}\n" for question in questions),
        env=dict(environment()),
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(questions), "the engine has to answer every question"
    assert all(set(answer) & {"answer", "error"} for answer in answers)
    return answers
