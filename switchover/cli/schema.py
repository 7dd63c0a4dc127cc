"""`switchover schema`."""

from __future__ import annotations

import click

from switchover.cli.output import emit
from switchover.config import json_schema


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Accepted like everywhere; a schema is always JSON.")
def schema(*, as_json: bool) -> None:  # noqa: ARG001 - the answer is the same
    """Print the JSON Schema of switchover.toml.

    Editors complete and check with it: `#:schema` in the file's first line says where it is.
    """
    emit(json_schema(), "", as_json=True)
