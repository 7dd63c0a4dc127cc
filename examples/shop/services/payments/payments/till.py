"""The till: who paid how much."""

from __future__ import annotations

from dataclasses import dataclass, field


class AmountChangedError(Exception):
    """The order was paid before, with another amount."""


@dataclass(slots=True)
class Till:
    """Payments by order, in cents."""

    payments: dict[str, int] = field(default_factory=dict)

    def charge(self, order: str, cents: int) -> int:
        """Take a payment, once however often it is asked for; return what was paid for this order."""
        paid = self.payments.setdefault(order, cents)
        if paid != cents:
            raise AmountChangedError(f"order {order} was paid with {paid} cents, not {cents}")
        return paid
