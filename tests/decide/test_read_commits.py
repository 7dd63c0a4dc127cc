from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.decide.bumps import Bump, choose_highest
from switchover.decide.commits import judge_commit
from switchover.decide.read_commits import ReadCommit, read_commits

A, B, C, D = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)
NONE, PATCH, MINOR, MAJOR = Bump.NONE, Bump.PATCH, Bump.MINOR, Bump.MAJOR

# Corner messages on which six engines were compared, with our answer: by the letter, with `squashed = "read"`, and
# with each policy of reverts where they differ.
MATRIX: dict[str, tuple[str, Bump]] = {
    "feat": ("feat: a", MINOR),
    "FEAT uppercase": ("FEAT: a", MINOR),
    "feat! bang": ("feat!: a", MAJOR),
    "scope+bang": ("feat(core)!: a", MAJOR),
    "bang before scope": ("feat!(core): a", NONE),
    "no space after colon": ("feat:a", NONE),
    "two spaces": ("feat:  a", MINOR),
    "space before colon": ("feat : a", NONE),
    "empty scope": ("feat(): a", NONE),
    "scope w/ parens": ("feat(a(b)): x", NONE),
    "scope w/ slash,comma": ("feat(a/b, c): x", MINOR),
    "BREAKING CHANGE footer": ("fix: a\n\nbody\n\nBREAKING CHANGE: b", MAJOR),
    "BREAKING-CHANGE footer": ("fix: a\n\nBREAKING-CHANGE: b", MAJOR),
    "breaking change lower": ("fix: a\n\nbreaking change: b", PATCH),
    "BREAKING CHANGES plural": ("fix: a\n\nBREAKING CHANGES: b", PATCH),
    "BREAKING CHANGE # sep": ("fix: a\n\nBREAKING CHANGE #12", PATCH),
    "BC no blank line before": ("fix: a\nBREAKING CHANGE: b", NONE),
    "BC in body para (not footer), then text": ("fix: a\n\nBREAKING CHANGE: b\n\nmore text\n\nRefs: #1", MAJOR),
    "BC after other footer": ("fix: a\n\nRefs: #1\nBREAKING CHANGE: b", MAJOR),
    "BC mid sentence": ("fix: a\n\nthis is no BREAKING CHANGE: b", PATCH),
    "BC star (squash list)": ("fix: a\n\n* BREAKING CHANGE: b", PATCH),
    "chore with BC": ("chore: a\n\nBREAKING CHANGE: b", MAJOR),
    "BC no colon": ("fix: a\n\nBREAKING CHANGE b", PATCH),
    "BC colon no text": ("fix: a\n\nBREAKING CHANGE:", PATCH),
    "squash: list of commits": ("chore: squash (#1)\n\n* feat: a\n\n* fix!: b", NONE),
    "git revert": ('Revert "feat: a"\n\nThis reverts commit 1234567.', PATCH),
    "revert type": ("revert: feat: a\n\nRefs: 676104e, a215868", PATCH),
    "revert type w/ reverts": ("revert: feat: a\n\nThis reverts commit 1234567.", PATCH),
    "merge commit": ("Merge branch 'main' into next", NONE),
    "merge w/ feat body": ("Merge pull request #1 from a/b\n\nfeat: a", NONE),
    "fixup": ("fixup! feat: a", NONE),
    "unknown type": ("perf: a", PATCH),
    "deps scope": ("build(deps): bump a from 1 to 2", NONE),
    "hyphen type": ("my-type: a", NONE),
    "non-word unicode type": ("été: a", NONE),
    "emoji prefix": ("✨ feat: a", NONE),
    "CRLF": ("feat: a\r\n\r\nbody\r\n\r\nBREAKING CHANGE: b\r\n", MAJOR),
    "release-as footer": ("chore: a\n\nRelease-As: 2.0.0", NONE),
    "unconventional": ("did things", NONE),
}
OTHERWISE = {
    ("squash: list of commits", "read", "cancel"): MAJOR,
    ("git revert", "ignore", "ignore"): NONE,
    ("revert type", "ignore", "ignore"): NONE,
    ("revert type w/ reverts", "ignore", "ignore"): NONE,
}


def bump(commits: tuple[ReadCommit, ...]) -> Bump:
    return choose_highest(judge_commit(commit) for read in commits for commit in read.commits)


def test_the_matrix_is_whole() -> None:
    assert len(MATRIX) == 39


@pytest.mark.parametrize("squashed", ["ignore", "read"])
@pytest.mark.parametrize("reverts", ["ignore", "cancel", "patch"])
@pytest.mark.parametrize("row", MATRIX)
def test_every_corner_of_the_matrix_has_its_answer(row: str, squashed: str, reverts: str) -> None:
    message, answer = MATRIX[row]
    if row == "squash: list of commits" and squashed == "read":
        answer = OTHERWISE[row, "read", "cancel"]
    if reverts == "ignore":
        answer = OTHERWISE.get((row, "ignore", "ignore"), answer)
    assert bump(read_commits([(A, message)], squashed, reverts)) is answer


# The examples of the specification itself, in its order.
SPECIFICATION = {
    "feat: allow provided config object to extend other configs\n\n"
    "BREAKING CHANGE: `extends` key in config file is now used for extending other config files": MAJOR,
    "feat!: send an email to the customer when a product is shipped": MAJOR,
    "feat(api)!: send an email to the customer when a product is shipped": MAJOR,
    "feat!: drop support for Node 6\n\nBREAKING CHANGE: use JavaScript features not available in Node 6.": MAJOR,
    "docs: correct spelling of CHANGELOG": NONE,
    "feat(lang): add Polish language": MINOR,
    "fix: prevent racing of requests\n\nIntroduce a request id and a reference to latest request. Dismiss\n"
    "incoming responses other than from latest request.\n\nRemove timeouts which were used to mitigate the racing "
    "issue but are\nobsolete now.\n\nReviewed-by: Z\nRefs: #123": PATCH,
    "revert: let us never again speak of the noodle incident\n\nRefs: 676104e, a215868": PATCH,
}


@pytest.mark.parametrize("message", SPECIFICATION)
def test_the_examples_of_the_specification_mean_what_it_says(message: str) -> None:
    assert bump(read_commits([(A, message)], "ignore", "cancel")) is SPECIFICATION[message]


SQUASH = """\
feat: the whole (#7)

What it is about.

* feat(api): add a

It has a body.

- with a list
- fix: that is a detail

* wip

BREAKING CHANGE: of a commit that is none

* fix!: b
* perf: c

BREAKING CHANGE: the c is gone
Refs: #3

---------

Co-authored-by: Bo <bo@acme.example>
BREAKING CHANGE: of all of it
"""


def test_each_item_of_a_squashed_list_is_a_commit_with_its_own_body_and_footers() -> None:
    (read,) = read_commits([(A, SQUASH)], "read", "cancel")
    assert [(each.type, each.description, each.breaking) for each in read.commits] == [
        ("feat", "the whole (#7)", True),
        ("feat", "add a", False),
        ("fix", "b", True),
        ("perf", "c", True),
    ]
    whole, first, _, last = read.commits
    assert whole.body == "What it is about."
    assert [footer.token for footer in whole.footers] == ["Co-authored-by", "BREAKING CHANGE"]
    assert first.scope == "api"
    assert first.body == "It has a body.\n\n- with a list\n- fix: that is a detail"
    assert [footer.token for footer in last.footers] == ["BREAKING CHANGE", "Refs"]


def test_a_list_below_a_title_that_is_not_conventional_counts_too() -> None:
    (read,) = read_commits([(A, "Add things (#1)\n\n- feat: a\n  that is long\n- chore: b")], "read", "cancel")
    assert [(each.type, each.description) for each in read.commits] == [("feat", "a"), ("chore", "b")]


def test_a_list_stays_a_body_where_it_is_to_be_ignored_and_in_a_merge() -> None:
    (read,) = read_commits([(A, "chore: a\n\n* feat: b")], "ignore", "cancel")
    assert [each.type for each in read.commits] == ["chore"]
    assert read_commits([(A, "Merge pull request #1\n\n* feat: b")], "read", "cancel") == (ReadCommit(A),)


def revert(subject: str, sha: str) -> str:
    return f'Revert "{subject}"\n\nThis reverts commit {sha}.'


CANCELLED = {
    "git's own words": [(B, revert("feat: a", A)), (A, "feat: a")],
    "a short hash": [(B, "revert: feat: a\n\nRefs: aaaaaaaaaa"), (A, "feat: a")],
    "the words in a conventional body": [(B, f"revert: a\n\nThis reverts commit {A}."), (A, "feat!: a")],
    "a pull request that names the title alone": [
        (B, 'Revert "feat: a (#1)" (#2)\n\nReverts x/y#1'),
        (A, "feat: a (#1)"),
    ],
    "a description alone": [(B, "revert: feat: a"), (A, "feat: a")],
    "two at once": [(C, f"revert: both\n\nRefs: {A}, {B}"), (B, "fix: b"), (A, "feat: a")],
}


@pytest.mark.parametrize("case", CANCELLED)
def test_a_commit_and_its_revert_come_to_nothing_where_both_are_unreleased(case: str) -> None:
    assert bump(read_commits(CANCELLED[case], "ignore", "cancel")) is NONE
    assert bump(read_commits(CANCELLED[case], "ignore", "ignore")) is not NONE
    assert bump(read_commits(CANCELLED[case], "ignore", "patch")) is not NONE


def test_a_revert_of_what_is_released_is_a_patch() -> None:
    assert bump(read_commits([(B, revert("feat: a", A))], "ignore", "cancel")) is PATCH
    (read,) = read_commits([(B, revert("feat: a", A))], "ignore", "patch")
    assert [(each.type, each.description) for each in read.commits] == [("revert", "feat: a")]


def test_a_revert_of_one_released_and_one_unreleased_commit_is_a_patch_and_cancels_the_latter() -> None:
    history = [(C, f"revert: both\n\nRefs: {A}, {D}"), (A, "feat: a")]
    assert bump(read_commits(history, "ignore", "cancel")) is PATCH


def test_a_revert_that_was_taken_back_takes_nothing_back() -> None:
    history = [(C, f'Reapply "feat: a"\n\nThis reverts commit {B}.'), (B, revert("feat: a", A)), (A, "feat: a")]
    assert bump(read_commits(history, "ignore", "cancel")) is MINOR
    older = [(C, revert('Revert "feat: a"', B)), *history[1:]]
    assert bump(read_commits(older, "ignore", "cancel")) is MINOR


def test_a_revert_does_not_cancel_what_came_after_it() -> None:
    assert bump(read_commits([(B, "feat: a"), (A, 'Revert "feat: a"')], "ignore", "cancel")) is MINOR


def test_a_breaking_revert_of_what_is_released_stays_breaking() -> None:
    for policy in ("ignore", "cancel", "patch"):
        assert bump(read_commits([(A, "revert!: feat: a")], "ignore", policy)) is MAJOR


@given(
    st.lists(st.tuples(st.from_regex(r"[0-9a-f]{40}", fullmatch=True), st.text()), max_size=5),
    st.sampled_from(["ignore", "read"]),
    st.sampled_from(["ignore", "cancel", "patch"]),
)
def test_any_history_has_an_answer_for_each_of_its_commits(
    history: list[tuple[str, str]], squashed: str, reverts: str
) -> None:
    assert [read.sha for read in read_commits(history, squashed, reverts)] == [sha for sha, _ in history]
