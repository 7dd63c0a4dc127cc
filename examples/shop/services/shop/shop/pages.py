"""The pages. Prices are written in the browser, by the `<acme-price>` element of `@acme/ui`."""

from __future__ import annotations

from html import escape

from shop.products import PRODUCTS, Product
from shop.settings import Settings

HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{name}</title>
<script type="importmap">
{{"imports": {{"@acme/money": "/assets/money/index.js", "@acme/ui": "/assets/ui/index.js"}}}}
</script>
<script type="module">import "@acme/ui";</script>
<h1>{name}</h1>
"""


def write_price(cents: int, currency: str) -> str:
    """A price as an element; its text is for browsers without scripts."""
    return f'<acme-price cents="{cents}" currency="{currency}">{cents / 100:.2f} {currency}</acme-price>'


def write_storefront(settings: Settings, cart: str) -> str:
    """The first page: all products, and below them the customer's cart (empty: they have none)."""
    lines = [f"<li>{escape(product.title)} {write_price(product.cents, settings.currency)}" for product in PRODUCTS]
    return HEAD.format(name=escape(settings.shop_name)) + "<ul>\n" + "\n".join(lines) + "\n</ul>\n" + cart


def write_cart(settings: Settings, product: Product, stock: int) -> str:
    """The part of a page that shows a cart."""
    price = write_price(product.cents, settings.currency)
    return (
        f"<h2>Your cart</h2>\n<p>{escape(product.title)} {price}, {stock} in stock\n"
        '<p><a href="/checkout">Check out</a>\n'
    )


def write_checkout(settings: Settings) -> str:
    """The page on which an order is placed."""
    return HEAD.format(name=escape(settings.shop_name)) + (
        '<form method="post" action="/checkout">\n<label>Cart <input name="cart"></label>\n'
        "<button>Pay now</button>\n</form>\n"
    )
