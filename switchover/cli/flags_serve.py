"""`switchover flags serve`: flags over HTTP, for browsers and other languages."""

from __future__ import annotations

import os
from pathlib import Path

import click

from switchover.cli.flags_place import find_place, place_options
from switchover.cli.output import emit
from switchover.errors import InputError
from switchover.flags.opening import open_client
from switchover.web.serve import LOOPBACK, PORT, serve
from switchover.web.tokens import TOKENS_VARIABLE, read_tokens


@click.command("serve")
@click.option("--host", default=LOOPBACK, show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0: a free one.")
@click.option("--tokens", type=click.Path(path_type=Path), help=f"A file of tokens, beside those of {TOKENS_VARIABLE}.")
@click.option("--origin", "origins", multiple=True, help="A web page's origin that may ask; may be repeated.")
@click.option("--open-to-all", is_flag=True, help="Ask nobody for a token.")
@place_options
def serve_flags(
    host: str,
    port: int,
    tokens: Path | None,
    origins: tuple[str, ...],
    store: str | None,
    config_path: Path | None,
    *,
    open_to_all: bool,
    as_json: bool,
) -> None:
    """Answer flags over HTTP (OFREP).

    Any OpenFeature SDK with an OFREP provider can ask. Runs until it is interrupted.
    """
    known = read_tokens(os.environ, tokens)
    if not known and not open_to_all:
        raise InputError(
            "the flags are not served to everybody",
            expected=f"tokens in {TOKENS_VARIABLE} or in the file of --tokens",
            found="none",
            next_step="make one with `openssl rand -hex 24`, or add --open-to-all",
        )
    if known and open_to_all:
        raise InputError(
            "tokens or everybody?",
            expected="either tokens or --open-to-all",
            found="both",
            next_step=f"take away --open-to-all, or the tokens of {TOKENS_VARIABLE} and --tokens",
        )

    def announce(address: str) -> None:
        emit({"address": address}, f"answering at {address}/ofrep/v1/evaluate/flags", as_json=as_json)

    with open_client(find_place(store, config_path)) as client:
        serve(client, host=host, port=port, tokens=known, origins=origins, announce=announce)
