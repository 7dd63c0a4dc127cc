"""Runs the catalogue: `PORT=8001 python3 -m catalog`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from acme_web.messages import Request, Response, as_json
from acme_web.service import run

FOLDER = Path(__file__).resolve().parent.parent
PRODUCTS = json.loads((FOLDER / "products.json").read_text(encoding="utf-8"))


async def list_products(request: Request) -> Response:
    """All products, or with `?category=` those of one category."""
    category = request.query.get("category")
    return as_json([product for product in PRODUCTS if category in (None, product["category"])])


sys.exit(run(FOLDER, {"/api/products": {"GET": list_products}}))
