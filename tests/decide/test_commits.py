from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.decide.bumps import Bump
from switchover.decide.commits import ConventionalCommit, NotConventional, judge_commit, parse_commit

BUMPS = {
    "feat: a": Bump.MINOR,
    "FEAT: a": Bump.MINOR,
    "fix: a": Bump.PATCH,
    "perf(cart): a": Bump.PATCH,
    "docs: a": Bump.NONE,
    "feat!: a": Bump.MAJOR,
    "feat(cart)!: a": Bump.MAJOR,
    "chore!: a": Bump.MAJOR,
    "feat:  two spaces": Bump.MINOR,
    "feat(a/b, c): a": Bump.MINOR,
    "my-type: a": Bump.NONE,
    "été: a": Bump.NONE,
    "fix: a\n\nBREAKING CHANGE: b": Bump.MAJOR,
    "fix: a\n\nBREAKING-CHANGE: b": Bump.MAJOR,
    "chore: a\n\nbody\n\nBREAKING CHANGE: b": Bump.MAJOR,
    "chore: a\r\n\r\nBREAKING CHANGE: b\r\n": Bump.MAJOR,
    "fix: a\n\nRefs: #1\nBREAKING CHANGE: b": Bump.MAJOR,
    "fix: a\n\nBREAKING CHANGE: b\n\nand more text": Bump.MAJOR,
    "fix: a\n\nbreaking change: b": Bump.PATCH,
    "fix: a\n\nBREAKING CHANGES: b": Bump.PATCH,
    "fix: a\n\nBREAKING CHANGE #12": Bump.PATCH,
    "fix: a\n\nBREAKING CHANGE b": Bump.PATCH,
    "fix: a\n\nBREAKING CHANGE:": Bump.PATCH,
    "fix: a\n\nthis is no BREAKING CHANGE: b": Bump.PATCH,
    "fix: a\n\n* BREAKING CHANGE: b": Bump.PATCH,
    "chore: squash\n\n* feat: a\n* fix!: b": Bump.NONE,
    "revert: feat: a\n\nRefs: 676104e": Bump.PATCH,
}

REASONS = {
    "": "the message is empty",
    "plain words": "the subject has no 'type: '",
    "feat:a": "a space is missing after the colon",
    "feat : a": "'feat ' is not a type with an optional (scope) and '!'",
    "feat!(cart): a": "'feat!(cart)' is not a type with an optional (scope) and '!'",
    "feat(): a": "the scope between the parentheses is empty",
    "feat(a(b)): x": "'feat(a(b))' is not a type with an optional (scope) and '!'",
    "feat: ": "nothing stands after the colon",
    "fix: a\nBREAKING CHANGE: b": "the body must begin one blank line after the description",
    "Merge pull request #1 from a/b\n\nfeat: a": "a merge commit",
    'Revert "feat: a"': "'Revert \"feat' is not a type with an optional (scope) and '!'",
    "fixup! feat: a": "'fixup! feat' is not a type with an optional (scope) and '!'",
    "✨ feat: a": "'✨ feat' is not a type with an optional (scope) and '!'",
}


@pytest.mark.parametrize("message", BUMPS)
def test_the_letter_of_the_specification_decides_about_the_bump(message: str) -> None:
    assert judge_commit(parse_commit(message)) is BUMPS[message]


@pytest.mark.parametrize("message", REASONS)
def test_a_message_that_misses_a_rule_is_told_which(message: str) -> None:
    assert parse_commit(message) == NotConventional(REASONS[message])
    assert judge_commit(parse_commit(message)) is Bump.NONE


def test_every_part_of_a_message_is_kept() -> None:
    parsed = parse_commit("Fix(cart): keep it\n\nwhy\n\nand how\n\nReviewed-by: Z\nRefs #123\n\n  more of it\n")
    assert isinstance(parsed, ConventionalCommit)
    assert (parsed.type, parsed.scope, parsed.description) == ("fix", "cart", "keep it")
    assert parsed.body == "why\n\nand how"
    footers = [(footer.token, footer.separator, footer.value) for footer in parsed.footers]
    assert footers == [("Reviewed-by", ": ", "Z"), ("Refs", " #", "123\n\n  more of it")]


@given(st.text())
def test_any_text_has_an_answer(message: str) -> None:
    assert judge_commit(parse_commit(message)) in set(Bump)


@given(
    st.sampled_from(["feat", "fix", "docs", "perf"]), st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(max_size=80)
)
def test_a_body_without_a_breaking_footer_never_raises_the_bump(kind: str, scope: str, body: str) -> None:
    with_body = parse_commit(f"{kind}({scope}): words\n\n{body.replace('BREAKING', 'breaking')}")
    assert judge_commit(with_body) is judge_commit(parse_commit(f"{kind}: words"))
