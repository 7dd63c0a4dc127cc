"""`switchover flags import`, `export`, `restore` and `undo`: the set as a whole."""

from __future__ import annotations

from pathlib import Path

import click

from switchover.cli.flags_change import Asked, change, changing
from switchover.cli.flags_files import read_limited, write_whole
from switchover.cli.flags_place import open_flags, place_options
from switchover.cli.output import emit
from switchover.errors import InputError
from switchover.flags.definition import read_document
from switchover.flags.file_document import SCHEMA, to_text
from switchover.operations.flag_changes import keeping_all, of_document
from switchover.operations.flag_history import going_back_to, taking_back


@click.command("import")
@click.argument("file")
@click.option("--keep-others", is_flag=True, help="Flags that the file does not name stay as they are.")
@click.option("--replace", is_flag=True, help="Flags that the file does not name are removed.")
@changing
def import_file(file: str, *, keep_others: bool, replace: bool, asked: Asked) -> int:
    """Make the set what a file in flagd's form says.

    FILE - is standard input. The whole file is checked before anything is written. Where the set has flags that the
    file does not name it is refused without --keep-others or --replace.
    """
    if keep_others and replace:
        raise InputError(
            "what becomes of flags that the file does not name?",
            expected="either --keep-others or --replace",
            found="both",
            next_step="take one of them away",
        )
    parts = read_document(read_limited(file))
    decide = of_document(parts, keep_others=keep_others) if keep_others or replace else keeping_all(parts)
    return change(asked, lambda _: decide, action="import", subject="the flags", strict=True)


@click.command()
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write it there instead of on standard output.")
@place_options
def export(output: Path | None, store: str | None, config_path: Path | None, *, as_json: bool) -> None:
    """Write the set in flagd's form."""
    snapshot = open_flags(store, config_path).read()
    text = to_text({"$schema": SCHEMA, **snapshot.document()}, indent=2)
    if output is None:
        click.echo(text)
        return
    write_whole(output, f"{text}\n")
    told = f"version {snapshot.version} is in {output}"
    emit({"version": snapshot.version, "file": output}, told, as_json=as_json)


@click.command()
@click.option("--version", type=click.IntRange(0), required=True, help="The set as it was at this version.")
@changing
def restore(version: int, *, asked: Asked) -> int:
    """Make the whole set what it was at a version.

    That is a new version; what came in between stays in the history, and can be restored too.
    """
    return change(
        asked, lambda store: going_back_to(store, version), action="restore", subject=f"version {version}", strict=True
    )


@click.command()
@click.argument("version", type=click.IntRange(1))
@changing
def undo(version: int, *, asked: Asked) -> int:
    """Take one change back, and none of the later ones.

    Refused where a later change touched the same flag: that one is taken back first.
    """
    return change(
        asked, lambda store: taking_back(store, version), action="undo", subject=f"version {version}", strict=True
    )
