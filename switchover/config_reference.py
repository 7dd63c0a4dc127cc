"""`docs/configuration.md` and `docs/switchover.schema.json`, written from the models of `switchover.config`.

`python -m switchover.config_reference docs` writes both; the tests hold the committed files to this.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from switchover.config import Config, json_schema

Schema = dict[str, Any]

_UNITS = {
    "_seconds": "seconds",
    "_ms": "milliseconds",
    "_mb": "megabytes",
    "_percent": "percent",
    "_rate": "fraction",
    "alpha": "fraction",
    "margin": "fraction",
}
_HEAD = """\
# switchover.toml

Written from `switchover/config.py` by `python -m switchover.config_reference docs`; do not edit by hand.
Unknown keys are refused with the nearest known one named. `switchover init` writes a first file,
`switchover check` judges one, and editors complete it with the JSON Schema `switchover.schema.json` beside
this page (`switchover schema` prints it) when the file begins with `#:schema ./switchover.schema.json`.
"""


def render_reference() -> str:
    """The page: one table of keys for every table of the file."""
    schema = json_schema()
    return _HEAD + "".join(_render_sections(Config, schema, schema["$defs"], ""))


def render_schema() -> str:
    """The JSON Schema as text."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _render_sections(
    model: type[BaseModel], schema: Schema, definitions: dict[str, Schema], place: str
) -> Iterator[str]:
    """The table of `model` at `place`, then those of the sections in it."""
    required = schema.get("required", [])
    inner: list[tuple[str, type[BaseModel]]] = []
    rows = []
    for name, field in model.model_fields.items():
        if field.exclude:
            continue
        section = find_section(field.annotation)
        if section is not None:
            inner.append((_inner_place(place, name, field), section))
        else:
            rows.append(_render_row(name, field, schema["properties"][name], required=name in required))
    if rows:
        yield f"\n## `{_heading(place)}`\n\n{schema['description']}\n\n"
        yield "| key | meaning | value | default |\n|---|---|---|---|\n" + "".join(rows)
    for inner_place, section in inner:
        yield from _render_sections(section, definitions[section.__name__], definitions, inner_place)


def find_section(annotation: Any) -> type[BaseModel] | None:
    """The section class that an annotation holds, alone or within a mapping, a list or an alternative."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (find_section(inner) for inner in getattr(annotation, "__args__", ()))
    return next((section for section in found if section is not None), None)


def _inner_place(place: str, name: str, field: FieldInfo) -> str:
    kinds = [
        getattr(part, "__origin__", part) for part in (field.annotation, *getattr(field.annotation, "__args__", ()))
    ]
    path = f"{place.strip('[]')}.{name}" if place else name
    if dict in kinds:
        return f"{path}.<name>"
    return f"[{path}]" if list in kinds else path


def _heading(place: str) -> str:
    return f"[{place}]"


def _render_row(name: str, field: FieldInfo, schema: Schema, *, required: bool) -> str:
    value = _describe_value(schema)
    unit = next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")
    cells = (
        f"`{name}`",
        (field.description or "").replace("<", "&lt;"),
        f"{value}, {unit}" if unit else value,
        "required" if required else _describe_default(field),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _describe_value(schema: Schema) -> str:
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    return " or ".join(_describe_type(option) for option in options)


def _describe_type(schema: Schema) -> str:
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(each)}`" for each in schema["enum"])
    kind = schema.get("type", "value")
    if kind == "array":
        return f"list of {_describe_type(schema['items'])}"
    if kind == "object":
        return "table of strings"
    bounds = [
        f"{sign} {schema[bound]:g}"
        for bound, sign in (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))
        if bound in schema
    ]
    names = {"integer": "whole number", "boolean": "true or false"}
    return " ".join([names.get(kind, str(kind)), ", ".join(bounds)]).strip()


def _describe_default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    return "none" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def main() -> None:
    """Write both files into the folder that is named."""
    folder = Path(sys.argv[1])
    (folder / "configuration.md").write_text(render_reference(), encoding="utf-8")
    (folder / "switchover.schema.json").write_text(render_schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
