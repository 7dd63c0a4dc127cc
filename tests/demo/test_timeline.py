"""The timeline picture is drawn from records alone."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from switchover.demo.load_report import LoadReport
from switchover.demo.timeline import draw_timeline
from tests.demo.made_up import make_load, make_records, play


def test_the_picture_is_written_as_svg_and_png(tmp_path: Path) -> None:
    load = make_load()
    svg, png = draw_timeline(tmp_path, play(make_records(), load), load)
    assert ET.parse(svg).getroot().tag.endswith("svg")  # noqa: S314 - written a line above
    assert png.read_bytes().startswith(b"\x89PNG")


def test_without_any_load_there_is_no_picture(tmp_path: Path) -> None:
    assert draw_timeline(tmp_path, (), LoadReport((), (), None)) == ()
    assert list(tmp_path.iterdir()) == []


def test_a_single_second_of_load_can_be_drawn(tmp_path: Path) -> None:
    load = make_load()
    short = LoadReport(load.intervals[:1], (), None)
    assert len(draw_timeline(tmp_path, (), short)) == len(list(tmp_path.iterdir()))
