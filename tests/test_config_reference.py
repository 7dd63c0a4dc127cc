"""The committed pages about switchover.toml are the generated ones, and say something about every key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from switchover.config import Config
from switchover.config_reference import find_section, render_reference, render_schema

DOCS = Path(__file__).parent.parent / "docs"


def keys_without_a_meaning(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        section = find_section(field.annotation)
        if section is not None:
            yield from keys_without_a_meaning(section)
        elif not field.exclude and not field.description:
            yield f"{model.__name__}.{name}"


def test_the_committed_reference_is_the_generated_one() -> None:
    assert (DOCS / "configuration.md").read_text() == render_reference()


def test_the_committed_schema_is_the_generated_one() -> None:
    assert (DOCS / "switchover.schema.json").read_text() == render_schema()


def test_every_key_has_a_meaning() -> None:
    assert list(keys_without_a_meaning(Config)) == []
