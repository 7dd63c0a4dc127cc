"""Tables: drawn by rich for a person at a terminal, plain columns for everybody else.

Only commands that show tables import this file, because rich takes its time to load.
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from switchover.cli.output import align, is_terminal

Rows = list[tuple[str, ...]]

STYLES = {"blue": "bold blue", "green": "bold green", "live": "green", "rolled back": "yellow", "killed": "bold red"}


def render_table(head: tuple[str, ...], rows: Rows) -> str:
    """The rows below `head`, coloured where a terminal shows colours (`NO_COLOR` is honoured)."""
    if not is_terminal():
        return align([head, *rows])
    table = Table(*head, box=None, header_style="dim", padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    console = Console()
    with console.capture() as captured:
        console.print(table)
    return captured.get().rstrip("\n")
