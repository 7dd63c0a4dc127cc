"""The program says what is missing where only the flags are installed."""

from __future__ import annotations

import subprocess
import sys

_WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class NotInstalled(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "click":
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, NotInstalled())
from switchover.program import main
sys.argv = ["switchover", "flags", "list"]
main()
"""


def test_without_the_extra_the_program_names_it_and_shows_no_traceback() -> None:
    ended = subprocess.run([sys.executable, "-c", _WITHOUT], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "pip install 'switchover[ops]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_with_it_the_command_line_runs() -> None:
    code = "import sys; sys.argv = ['switchover', '--help']; from switchover.program import main; main()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "rollback" in ended.stdout
