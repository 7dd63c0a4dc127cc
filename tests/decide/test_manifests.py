from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.decide.manifests import edit_json, edit_pyproject_version, edit_requirement
from switchover.errors import InputError

MANIFEST = (
    '{\r\n\t"name" : "a",\r\n\t"nested": {"version": "9"}, "list":[1, {"version":"8"}, "\\"x"],\r\n\t"version":"1.0.0"}'
)
PYPROJECT = """\
[tool.x]
version = "9"

[project] # ours
name = "a"
version = '1.0.0'  # kept
dependencies = ["core>=1.0.0", "core-tools==1.0.0", "other"]

[project.urls]
version = "8"
"""


def test_only_the_addressed_value_of_a_manifest_changes() -> None:
    assert edit_json(MANIFEST, {("version",): "1.1.0"}, file="f") == MANIFEST.replace('"1.0.0"', '"1.1.0"')
    both = edit_json(MANIFEST, {("version",): "2", ("nested", "version"): "3.14.15"}, file="f")
    assert both == MANIFEST.replace('"1.0.0"', '"2"').replace('"9"', '"3.14.15"')


def test_a_manifest_without_the_key_is_refused() -> None:
    with pytest.raises(InputError, match=r"dependencies\.b"):
        edit_json(MANIFEST, {("dependencies", "b"): "1"}, file="f")
    with pytest.raises(InputError, match="JSON"):
        edit_json("{", {("version",): "1"}, file="f")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, max_size=5), st.text(), st.sampled_from([None, 2, "\t"]), st.booleans())
def test_whatever_else_a_manifest_holds_stays(
    other: dict[str, object],
    version: str,
    indent: int | str | None,
    ascii_only: bool,  # noqa: FBT001 - an example
) -> None:
    document = {**other, "version": "1.0.0"}
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    assert json.loads(edit_json(text, {("version",): version}, file="f")) == {**document, "version": version}


def test_only_the_version_of_the_project_table_changes() -> None:
    assert edit_pyproject_version(PYPROJECT, "1.1.0", file="f") == PYPROJECT.replace("'1.0.0'", "'1.1.0'")


@pytest.mark.parametrize(
    "text", ["", "[project]\nname = 'a'\n", "[tool]\nversion = '1'\n", "[project]\ndynamic=['version']"]
)
def test_a_project_without_a_plain_version_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="cannot be edited"):
        edit_pyproject_version(text, "1.1.0", file="f")


def test_a_requirement_moves_with_its_operator_and_its_neighbours_stay() -> None:
    assert edit_requirement(PYPROJECT, "core", "2.0.0") == PYPROJECT.replace("core>=1.0.0", "core>=2.0.0")
