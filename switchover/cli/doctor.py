"""`switchover doctor`."""

from __future__ import annotations

from pathlib import Path

import click

from switchover.cli.machine import Part, inspect_machine, inspect_places
from switchover.cli.options import common_options, find_config
from switchover.cli.output import align, emit
from switchover.config import Config, load_config


@click.command()
@common_options
@click.pass_context
def doctor(context: click.Context, config_path: Path | None, *, as_json: bool) -> None:
    """Show which programs are here and what each is for.

    Exit status 1 when something required is missing. Works without a switchover.toml; with one its folders
    are looked at too.
    """
    file = find_config(config_path)
    config: Config | None = load_config(file) if config_path is not None or file.is_file() else None
    parts = (*inspect_machine(config), *inspect_places(config))
    missing = [part for part in parts if part.required and not part.found]
    emit({"healthy": not missing, "parts": parts}, _render(parts, missing), as_json=as_json)
    context.exit(1 if missing else 0)


def _render(parts: tuple[Part, ...], missing: list[Part]) -> str:
    rows: list[tuple[str, ...]] = [(_standing(part), part.name, part.detail, part.needed_for) for part in parts]
    lines = [align(rows)]
    lines += [f"{part.name}: {part.how_to_get}" for part in parts if not part.found]
    many = ", ".join(part.name for part in missing)
    lines.append(f"required and missing: {many}" if missing else "everything required is here")
    return "\n".join(lines)


def _standing(part: Part) -> str:
    if part.found:
        return "found"
    return "MISSING" if part.required else "absent"
