"""Who sits at this terminal, as the ledger writes it down."""

from __future__ import annotations

import getpass
import os
import socket


def name_person() -> str:
    """User, host and process: two sessions of one user are two people to each other."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"user {os.getuid()}"  # a container's user need not be in its password file
    return f"{name} at {socket.gethostname()} (process {os.getpid()})"
