"""Orders."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from shop.products import Product


@dataclass(frozen=True, slots=True)
class Order:
    """A placed order. `number` is the same however often the customer presses the button."""

    number: str
    product_id: str
    cents: int


def place_order(cart: int, product: Product) -> Order:
    """Order what is in the cart."""
    number = hashlib.sha256(f"{cart}/{product.id}".encode()).hexdigest()[:12]
    return Order(number, product.id, product.cents)
