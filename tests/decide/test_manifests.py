from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.decide.manifests import edit_json, edit_toml
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


def test_only_the_addressed_strings_of_a_pyproject_change() -> None:
    edited = edit_toml(
        PYPROJECT, {("project", "version"): "1.1.0", ("project", "dependencies", 0): "core>=2"}, file="f"
    )
    assert edited == PYPROJECT.replace("'1.0.0'", "'1.1.0'").replace(
        '"core>=1.0.0", "core-tools', '"core>=2", "core-tools'
    )


def test_the_right_one_of_equal_strings_changes() -> None:
    text = 'a = ["x", "x", \'x\'] # "x"\nb = "x"\n[c]\nb.d = "x"\n'
    assert edit_toml(text, {("a", 1): "y"}, file="f") == text.replace('"x", "x"', '"x", "y"')
    assert edit_toml(text, {("a", 2): "y"}, file="f") == text.replace("'x'", "'y'")
    assert edit_toml(text, {("c", "b", "d"): "y"}, file="f") == text.replace('d = "x"', 'd = "y"')


def test_a_string_keeps_its_quotes_and_what_is_escaped_in_it() -> None:
    text = 'a = "core>=1; os_name == \\"x\\"" # core\n'
    edited = edit_toml(text, {("a",): 'core>=2; os_name == "x"'}, file="f")
    assert edited == text.replace("core>=1", "core>=2")


@pytest.mark.parametrize(
    "text",
    ["", "[project]\nname = 'a'\n", "[project]\nversion = 1\n", '[project]\nversion = """\n1"""\n', "[project"],
)
def test_a_value_that_is_no_string_on_one_line_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="cannot be edited"):
        edit_toml(text, {("project", "version"): "1.1.0"}, file="f")


SECTIONS = ("dependencies", "devDependencies", "peerDependencies")
NAMES = st.sampled_from(["a", "b", "@s/c", "d.e", 'q"', "é", "version"])
MANIFESTS = st.fixed_dictionaries(
    {"version": st.just("1.0.0")},
    optional={
        **dict.fromkeys(SECTIONS, st.dictionaries(NAMES, st.sampled_from(["^1.0.0", "1.0.0", "*"]), max_size=4)),
        "name": st.text(max_size=8),
        "nested": JSON,
    },
)


@given(MANIFESTS, st.data(), st.sampled_from([None, 2, 4, "\t"]), st.booleans(), st.booleans())
def test_an_edit_touches_nothing_outside_the_addressed_values(
    document: dict[str, Any],
    data: st.DataObject,
    indent: int | str | None,
    ascii_only: bool,  # noqa: FBT001 - an example
    windows: bool,  # noqa: FBT001 - an example
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only) + "\n"
    text = text.replace("\n", "\r\n") if windows else text
    paths = [("version",), *((section, name) for section in SECTIONS for name in document.get(section, {}))]
    chosen = data.draw(st.lists(st.sampled_from(paths), unique=True))
    # No value holds this, so that each place can be found again.
    marks = {path: f"\u2603{at}\u2603" for at, path in enumerate(chosen)}
    edited = edit_json(text, marks, file="f")
    wanted = json.loads(text)
    outside = edited
    for path, mark in marks.items():
        old = document
        for key in path:
            old = old[key]
        node = wanted if len(path) == 1 else wanted[path[0]]
        node[path[-1]] = mark
        assert outside.count(f'"{mark}"') == 1
        outside = outside.replace(f'"{mark}"', f'"{old}"')
    assert json.loads(edited) == wanted
    assert outside == text
    assert edit_json(edited, marks, file="f") == edited
