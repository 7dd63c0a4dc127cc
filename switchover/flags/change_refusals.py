"""What the edits of a flag need of it, and how they say that something cannot be done."""

from __future__ import annotations

from collections.abc import Mapping

from switchover.errors import InputError
from switchover.flags.additions import only_variant
from switchover.flags.definition_mistakes import one_of, show, show_near
from switchover.flags.snapshot import Json


def variants_of(flag: Mapping[str, Json]) -> dict[str, Json]:
    """The flag's variants; `InputError` where it has none."""
    variants = flag.get("variants")
    if not isinstance(variants, dict) or not variants:
        raise refused("the flag has no variants", "an object with at least one", show(variants), "set the flag anew")
    return variants


def require_variant(flag: Mapping[str, Json], variant: str) -> None:
    """`InputError` where the flag has no such variant."""
    variants = variants_of(flag)
    if variant not in variants:
        raise refused(
            f"the flag has no variant {show(variant)}",
            one_of(variants),
            show_near(str(variant), variants),
            "name one of its variants",
        )


def on_variant(flag: Mapping[str, Json], variant: str | None) -> str:
    """The variant that a percentage is of: the one that is named, else the only one that is true."""
    if variant is not None:
        require_variant(flag, variant)
        return variant
    variants = variants_of(flag)
    only = only_variant(variants, value=True)
    if only is None:
        raise refused(
            "nobody has said which variant the percentage is of",
            "a variant, or a flag with exactly one variant that is true",
            f"variants {', '.join(list(variants)[:12])}",
            "name the variant",
        )
    return only


def refused(failed: str, expected: str, found: str, next_step: str) -> InputError:
    """The error for an edit that cannot be made."""
    return InputError(failed, expected=expected, found=found, next_step=next_step)
