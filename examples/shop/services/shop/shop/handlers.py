"""What the shop answers."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs

from acme_web.messages import RefusedRequestError, Request, Response, as_json, html
from acme_web.routes import Handler

from shop.assets import serve_assets
from shop.orders import place_order
from shop.pages import write_cart, write_checkout, write_storefront
from shop.products import choose_product
from shop.settings import Settings
from shop.stock import read_stock

LONGEST_CART_NUMBER = 18


def list_handlers(settings: Settings, assets: Path) -> dict[str, dict[str, Handler]]:
    """The handlers by path and method."""

    async def show_storefront(request: Request) -> Response:
        if "cart" not in request.query:
            return html(write_storefront(settings, cart=""))
        product = choose_product(read_cart_number(request.query["cart"]))
        return html(write_storefront(settings, write_cart(settings, product, await read_stock(product))))

    async def show_checkout(_request: Request) -> Response:
        return html(write_checkout(settings))

    async def check_out(request: Request) -> Response:
        cart = read_ordered_cart(request)
        return as_json({"order": asdict(place_order(cart, choose_product(cart)))}, HTTPStatus.CREATED)

    return {
        "/": {"GET": show_storefront},
        "/checkout": {"GET": show_checkout, "POST": check_out},
        "/assets/*": {"GET": serve_assets(assets)},
    }


def read_ordered_cart(request: Request) -> int:
    """The number of the cart to be ordered, from JSON or from a form."""
    # The body decides, not its declared type: many clients call everything a form.
    if not request.body.lstrip().startswith(b"{"):
        return read_cart_number(parse_qs(request.body.decode("latin-1")).get("cart", [""])[0])
    return read_cart_number(str(request.json().get("cart", "")))


def read_cart_number(text: str) -> int:
    """A cart's number; anything else is refused (400)."""
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_CART_NUMBER):
        raise RefusedRequestError(HTTPStatus.BAD_REQUEST)
    return int(text)
