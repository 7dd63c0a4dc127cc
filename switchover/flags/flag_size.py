"""How large a flag and a set may be, and how that is measured."""

from __future__ import annotations

import json
from typing import Final

MAX_SET_BYTES: Final = 10_000_000
MAX_FLAG_BYTES: Final = 1_000_000


def json_bytes(value: object) -> int:
    """The bytes of a value's JSON without spaces, in UTF-8."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass"))
