"""What the shop sells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """One product. `warehouse` is where it lies: in our own, or in our partner's."""

    id: str
    title: str
    cents: int
    category: str
    warehouse: str


PRODUCTS = (
    Product("mug", "Stoneware mug", 1290, "kitchen", "own"),
    Product("lamp", "Reading lamp", 4900, "living", "partner"),
    Product("chair", "Oak chair", 12900, "living", "own"),
    Product("rug", "Wool rug", 18900, "living", "partner"),
    Product("notebook", "Linen notebook", 950, "desk", "own"),
)


def choose_product(cart: int) -> Product:
    """The product in a cart: a cart holds one product, and carts are numbered through the list."""
    return PRODUCTS[cart % len(PRODUCTS)]
