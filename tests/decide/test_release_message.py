from __future__ import annotations

from typing import Any

import pytest

from switchover.decide.release_message import Message, list_released, strip_markdown, write_failure, write_success

ERROR = """Flow run encountered an exception: SwitchoverError: the release of cart@1.1.0 stops at: scan
  expected: that the stage is done, or skipped for a stated reason
  found:    CVE-1 in left-pad
  next:     repair that"""


def component(name: str, version: str, *, tagged: str = "done: a tag", **more: Any) -> dict[str, Any]:
    stages = {"publish": "done: x", "tag": tagged}
    plain = dict.fromkeys(("page", "reference", "digest"), "")
    return {"name": name, "version": version, "stages": stages, "resumed": False, **plain, **more}


def report(*components: dict[str, Any], proposal: str = "") -> dict[str, Any]:
    return {"project": "acme", "components": list(components), "proposal": proposal}


def test_a_success_names_what_is_out_where_it_is_and_what_changed() -> None:
    message = write_success(
        report(
            component("shop", "1.5.0", page="https://forge.example/shop"),
            component("ui", "2.0.0", reference="ui@2.0.0"),
        ),
        {"shop": "### Minor Changes\n\n- a **cart**", "other": "- not this"},
    )
    assert message is not None
    assert message.subject == "acme: released shop 1.5.0, ui 2.0.0"
    assert message.body == "shop 1.5.0  https://forge.example/shop\nMinor Changes:\n- a cart\n\nui 2.0.0  ui@2.0.0"
    assert message.good


def test_a_release_that_did_nothing_tells_nobody() -> None:
    assert write_success(report(), {}) is None
    assert write_success(report(component("ui", "1.0.0", tagged="skipped: not published")), {}) is None


def test_a_release_that_a_killed_run_had_tagged_is_told_by_the_run_that_completes_it() -> None:
    done = report(component("shop", "1.5.0", tagged="skipped: already there", resumed=True))
    message = write_success(done, {})
    assert message is not None
    assert message.subject == "acme: released shop 1.5.0"
    assert [each["name"] for each in list_released(done)] == ["shop"]


def test_a_version_whose_page_alone_is_new_is_no_news() -> None:
    assert write_success(report(component("shop", "1.5.0", tagged="skipped: already there")), {}) is None


def test_a_proposal_is_told_with_its_address() -> None:
    message = write_success(report(proposal="https://forge.example/pull/7"), {})
    assert message is not None
    assert (message.subject, message.body) == ("acme: a release is proposed", "https://forge.example/pull/7")


def test_many_components_are_counted_and_long_changelogs_cut() -> None:
    many = [component(f"p{at}", "1.0.0") for at in range(12)]
    message = write_success(report(*many), {"p0": "word " * 500})
    assert message is not None
    assert message.subject.endswith("p9 1.0.0 and 2 more")
    assert len(message.body) <= 3000
    assert "…" in message.body


def test_a_failure_names_the_task_the_reason_and_the_run() -> None:
    message = write_failure("acme", ["build cart@1.1.0", "build shop@2.0.0"], ERROR, "https://prefect.example/run")
    assert message.subject == "acme: the release stopped at build cart@1.1.0, build shop@2.0.0"
    assert message.body == (
        "the release of cart@1.1.0 stops at: scan\nfound: CVE-1 in left-pad\nnext: repair that\n\n"
        "Run it again when that is repaired: what is done is not done twice."
    )
    assert message.address == "https://prefect.example/run"
    assert not message.good


def test_a_failure_outside_of_every_task_is_named_by_its_reason() -> None:
    message = write_failure("acme", [], ERROR, "")
    assert message.subject == "acme: the release of cart@1.1.0 stops at: scan"
    assert message.body.startswith("found: CVE-1 in left-pad\nnext: repair that\n\nRun it again")


@pytest.mark.parametrize(
    ("state", "first"),
    [
        ("", "no reason was given"),
        ("Flow run encountered an exception: KeyError: 'x'", "'x'"),
        ("Flow run process exited with non-zero status code -9.", "Flow run process exited with"),
        ("httpx.ConnectError: no", "no"),
    ],
)
def test_a_reason_that_is_not_ours_is_told_as_it_is(state: str, first: str) -> None:
    assert write_failure("acme", ["scan x"], state, "").body.startswith(first)


def test_a_subject_is_one_short_line_and_a_reason_is_cut() -> None:
    message = write_failure("acme", [], "word " * 2000 + "\n" + "more\n" * 2000, "")
    assert "\n" not in message.subject
    assert len(message.subject) <= 200
    assert len(message.body) <= 3200


def test_the_user_in_an_address_is_not_told() -> None:
    message = write_failure("acme", [], "push failed\n  found:    https://ada:s3cr3t@forge.example/x said no", "")
    assert "https://forge.example/x said no" in message.body
    assert "s3cr3t" not in message.body


def test_the_same_failure_of_another_run_has_the_same_fingerprint() -> None:
    one, two = (
        write_failure("acme", ["scan x"], f"no file /tmp/switchover-release-{name}/x", f"https://ui.example/{name}")
        for name in ("a1", "b2")
    )
    assert one.fingerprint == two.fingerprint
    assert one.fingerprint != write_failure("acme", ["scan x"], "another", "").fingerprint
    assert one.fingerprint != Message("acme", "", good=True).fingerprint


def test_markdown_reads_well_where_it_is_not_understood() -> None:
    text = "### Patch Changes\n\n- [#7](https://forge.example/7) **fix**: `a * b`\n\n\n- packages/* and **/x"
    assert strip_markdown(text) == (
        "Patch Changes:\n- #7 (https://forge.example/7) fix: `a * b`\n- packages/* and **/x"
    )
