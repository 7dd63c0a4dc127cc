"""What the pages say exists: links, commands with their options, targets of make, files, and whole switchover.toml."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from switchover.cli.commands import COMMANDS, Command, LazyGroup
from switchover.config import parse_config

_ROOT = Path(__file__).parents[1]
_PAGES = (_ROOT / "README.md", _ROOT / "CONTRIBUTING.md", *sorted((_ROOT / "docs").rglob("*.md")))
_MODULES = {"flows.serve": "main", "flows.deployments": "main"}

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_HEREDOC = re.compile(r"cat > switchover\.toml <<'END'\n(.*?)^END$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"[\w./-]+/[\w.-]+\.(?:py|md|toml|yaml|json|svg)")

_each_page = pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _prose(page: Path) -> str:
    return _FENCE.sub("", _text(page))


def _command_lines(page: Path) -> Iterator[str]:
    """Every line that a reader could type: of the fences for a shell or without a language, and of code in a sentence.

    What a file is filled with inside a shell's fence is no command.
    """
    for fence in _FENCE.finditer(_text(page)):
        if fence["language"] in {"", "sh"}:
            body = re.sub(r"<<'END'\n.*?^END$", "", fence["body"], flags=re.MULTILINE | re.DOTALL)
            yield from re.split(r"\n|&&|;|\|", body.replace("\\\n", " "))
    yield from _SPAN.findall(_prose(page))


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:  # a sentence with an apostrophe
        return []
    return words[: next((at for at, word in enumerate(words) if word[:1] in {*"<>|&;()"}), len(words))] if words else []


def _uses(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Our commands on a page: `switchover x` or `python -m module`, with the words after it."""
    for line in _command_lines(page):
        words = _words(line)
        if len(words) > 1 and words[0] == "switchover" and re.fullmatch(r"[a-z-]+", words[1]):
            yield words[1], words[2:]
        if words[:2] == ["python", "-m"] and words[2:3] and words[2] in _MODULES:
            yield words[2], words[3:]


def _load(name: str) -> click.Command:
    return _load_from(COMMANDS[name] if name in COMMANDS else Command(name, _MODULES[name], ""))


def _load_from(entry: Command) -> click.Command:
    found = getattr(import_module(entry.module), entry.attribute)
    assert isinstance(found, click.Command)
    return found


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    titles = re.findall(r"^#+ +(.+)$", _FENCE.sub("", _text(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@_each_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    lost = []
    for target in _LINK.findall(_prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in _anchors(there)):
            lost.append(target)
    assert lost == []


@_each_page
def test_every_command_exists_with_its_options(page: Path) -> None:
    unknown = []
    for name, words in _uses(page):
        if name not in COMMANDS and name not in _MODULES:
            unknown.append(f"switchover {name}")
            continue
        command = _load(name)
        if isinstance(command, LazyGroup) and words and not words[0].startswith("-"):
            if words[0] not in command.table:
                unknown.append(f"{name} {words[0]}")
                continue
            command = _load_from(command.table[words[0]])
        spoken = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        options = spoken | {"--help", "-h"}
        given = [word.partition("=")[0] for word in words if word.startswith("-")]
        unknown += [f"{name} {option}" for option in given if option not in options]
    assert unknown == []


@_each_page
def test_every_target_of_make_exists(page: Path) -> None:
    targets = re.findall(r"^([a-z0-9-]+):", (_ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = [words[1] for line in _command_lines(page) if (words := _words(line))[:1] == ["make"] and len(words) > 1]
    assert [name for name in named if name not in targets and "=" not in name] == []


@_each_page
def test_every_whole_configuration_is_accepted(page: Path) -> None:
    bodies = [fence["body"] for fence in _FENCE.finditer(_text(page)) if fence["language"] == "toml"]
    for body in (*bodies, *_HEREDOC.findall(_text(page))):
        document = tomllib.loads(body)
        if "project" in document:
            parse_config(document, _ROOT / "switchover.toml")


@_each_page
def test_every_file_of_the_project_that_is_named_exists(page: Path) -> None:
    folders = {each.name for place in (_ROOT, _ROOT / "switchover") for each in place.iterdir() if each.is_dir()}
    files = [span for span in _SPAN.findall(_prose(page)) if _FILE.fullmatch(span)]
    named = [name for name in files if name.partition("/")[0] in folders]
    assert [name for name in named if not any((_ROOT / place / name).exists() for place in ("", "switchover"))] == []


def test_the_index_lists_every_page() -> None:
    index = _ROOT / "docs" / "README.md"
    linked = {(index.parent / target).resolve() for target in _LINK.findall(_text(index)) if "://" not in target}
    assert [page.name for page in sorted((_ROOT / "docs").rglob("*.md")) if page not in linked | {index}] == []


def test_the_tutorial_has_a_configuration_to_check() -> None:
    assert _HEREDOC.findall(_text(_ROOT / "docs" / "tutorial.md"))
