"""What every `Remote` promises, on the fake and on real repositories with a bare one between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest

from switchover.adapters.git_history import GitHistory
from switchover.adapters.git_remote import GitRemote
from switchover.decide.outcome import Done, Skipped
from switchover.errors import BusyError, FencedError, InputError
from switchover.operations.shared_places import Remote
from tests.fakes_remote import InMemoryCheckout, InMemoryRemote, SharedRepository
from tests.git_repository import Repository, clone, new_bare, new_repository

_NUMBERS = count()


class Machine(Protocol):
    """A checkout with its remote, and a look at both."""

    @property
    def remote(self) -> Remote: ...
    def commit(self) -> str: ...
    def head(self) -> str: ...
    def tips(self) -> dict[str, str]: ...
    def tag(self, tag: str, commit: str) -> None: ...
    def tags(self) -> dict[str, str]: ...
    def mark(self, tag: str, commit: str) -> None: ...
    def marks(self) -> dict[str, str]: ...
    def lose_lock(self) -> None: ...


@dataclass(slots=True)
class FakeMachine:
    checkout: InMemoryCheckout
    shared: SharedRepository
    remote: Remote

    def commit(self) -> str:
        made = f"c{next(_NUMBERS)}"
        self.shared.parents[made] = self.checkout.head
        self.checkout.head = made
        return made

    def head(self) -> str:
        return self.checkout.head

    def tips(self) -> dict[str, str]:
        return self.shared.branches

    def tag(self, tag: str, commit: str) -> None:
        self.checkout.tags[tag] = commit

    def tags(self) -> dict[str, str]:
        return self.checkout.tags

    def mark(self, tag: str, commit: str) -> None:
        self.checkout.marks[tag] = commit

    def marks(self) -> dict[str, str]:
        return self.checkout.marks

    def lose_lock(self) -> None:
        self.shared.holder = "somebody"


@dataclass(slots=True)
class RealMachine:
    repository: Repository
    bare: Repository
    remote: Remote

    def commit(self) -> str:
        return self.repository.commit(f"feat: {next(_NUMBERS)}", {f"{next(_NUMBERS)}.txt": "x"})

    def head(self) -> str:
        return self.repository.git("rev-parse", "HEAD")

    def tips(self) -> dict[str, str]:
        lines = self.bare.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads")
        return dict(line.split() for line in lines.splitlines())

    def tag(self, tag: str, commit: str) -> None:
        self.repository.git("tag", "--annotate", "--message", tag, tag, commit)

    def tags(self) -> dict[str, str]:
        lines = self.repository.git("for-each-ref", "--format=%(refname:lstrip=2) %(*objectname)", "refs/tags")
        return dict(line.split() for line in lines.splitlines())

    def mark(self, tag: str, commit: str) -> None:
        GitHistory(self.repository.root).mark(tag, commit)

    def marks(self) -> dict[str, str]:
        return GitHistory(self.repository.root).read_marks()

    def lose_lock(self) -> None:
        self.bare.git("update-ref", "refs/switchover/release-lock", "main")


Join = Callable[[], Machine]


@pytest.fixture(params=["in memory", "git"])
def join(request: pytest.FixtureRequest, tmp_path: Path) -> Join:
    """Each call is another machine with a checkout of the same repository."""
    if request.param == "in memory":
        shared = SharedRepository(branches={"main": "start"})

        def fake() -> Machine:
            checkout = InMemoryCheckout(head="start", seen="start")
            return FakeMachine(checkout, shared, InMemoryRemote(checkout, shared))

        return fake
    bare = new_bare(tmp_path / "shared.git")
    first = new_repository(tmp_path / "first")
    first.commit("feat: start")
    first.git("push", "--quiet", str(bare.root), "main")

    def real() -> Machine:
        repository = clone(bare, tmp_path / f"machine{next(_NUMBERS)}")
        return RealMachine(repository, bare, GitRemote(repository.root, "origin"))

    return real


def test_a_branch_that_is_behind_is_brought_forward(join: Join) -> None:
    here, there = join(), join()
    pushed = there.commit()
    there.remote.push_branch()
    here.remote.catch_up()
    assert here.head() == pushed
    here.remote.catch_up()
    assert here.head() == pushed


def test_a_branch_that_is_ahead_is_fine_and_is_pushed_once(join: Join) -> None:
    here = join()
    made = here.commit()
    here.remote.catch_up()
    assert here.head() == made
    here.remote.push_branch()
    assert here.tips()["main"] == made
    here.remote.push_branch()
    assert here.tips()["main"] == made


def test_branches_that_have_diverged_are_refused_with_both_commits(join: Join) -> None:
    here, there = join(), join()
    pushed, made = there.commit(), here.commit()
    there.remote.push_branch()
    with pytest.raises(InputError) as refused:
        here.remote.catch_up()
    assert made[:12] in refused.value.problem.found
    assert pushed[:12] in refused.value.problem.found
    assert here.head() == made
    with pytest.raises(InputError):
        here.remote.push_branch()
    assert here.tips()["main"] == pushed


def test_who_pushed_meanwhile_is_not_overwritten(join: Join) -> None:
    here, there = join(), join()
    here.remote.catch_up()
    here.commit()
    pushed = there.commit()
    there.remote.push_branch()
    with pytest.raises(BusyError, match="somebody pushed meanwhile"):
        here.remote.push_branch()
    assert here.tips()["main"] == pushed


def test_a_branch_of_ours_goes_to_any_commit(join: Join) -> None:
    here = join()
    first = here.head()
    second = here.commit()
    for commit in (second, first, first):
        here.remote.push_commit(commit, "switchover/release-main")
        assert here.tips()["switchover/release-main"] == commit
    assert here.tips()["main"] == first


def test_a_tag_is_pushed_once_and_everybody_gets_it(join: Join) -> None:
    here, there = join(), join()
    commit = here.head()
    here.tag("@acme/ui@1.0.0", commit)
    assert isinstance(here.remote.push_tag("@acme/ui@1.0.0"), Done)
    assert isinstance(here.remote.push_tag("@acme/ui@1.0.0"), Skipped)
    assert there.remote.read_tags() == {"@acme/ui@1.0.0": commit}
    there.remote.catch_up()
    assert there.tags() == {"@acme/ui@1.0.0": commit}
    assert isinstance(there.remote.push_tag("@acme/ui@1.0.0"), Skipped)


def test_a_tag_that_is_elsewhere_there_is_refused_with_both_commits_and_stays(join: Join) -> None:
    here, there = join(), join()
    first = there.head()
    there.tag("v1.0.0", first)
    there.remote.push_tag("v1.0.0")
    second = here.commit()
    here.tag("v1.0.0", second)
    for refuse in (lambda: here.remote.push_tag("v1.0.0"), here.remote.catch_up):
        with pytest.raises(InputError, match=r"v1\.0\.0") as refused:
            refuse()
        assert second[:12] in str(refused.value)
        assert first[:12] in str(refused.value)
    assert here.remote.read_tags() == {"v1.0.0": first}
    assert here.tags() == {"v1.0.0": second}


def test_a_tag_that_is_not_here_is_refused(join: Join) -> None:
    here = join()
    with pytest.raises(InputError, match="no such tag"):
        here.remote.push_tag("v1.0.0")
    assert here.remote.read_tags() == {}


def test_marks_reach_the_next_machine_and_go_when_they_are_dropped(join: Join) -> None:
    here, there = join(), join()
    first = here.head()
    here.mark("@acme/ui@1.0.0", first)
    here.mark("v2.0.0", first)
    here.remote.push_marks(("@acme/ui@1.0.0", "v2.0.0", "unmarked"))
    there.remote.catch_up()
    assert there.marks() == {"@acme/ui@1.0.0": first, "v2.0.0": first}
    second = there.commit()
    there.remote.push_branch()
    there.mark("v2.0.0", second)
    there.remote.push_marks(("v2.0.0",))
    here.remote.catch_up()
    assert here.marks() == {"@acme/ui@1.0.0": first, "v2.0.0": second}
    here.remote.drop_marks(("@acme/ui@1.0.0", "never there"))
    here.remote.drop_marks(("@acme/ui@1.0.0",))
    third = join()
    third.remote.catch_up()
    assert third.marks() == {"v2.0.0": second}


def test_there_is_one_release_at_a_time_and_the_second_learns_whose(join: Join) -> None:
    here, there = join(), join()
    with here.remote.alone("release 7 of Ada"):
        for machine in (there, here):
            with pytest.raises(BusyError, match="release 7 of Ada"), machine.remote.alone("another"):
                pass
        made = here.commit()
        here.remote.push_branch()
        assert here.tips()["main"] == made
    with there.remote.alone("another"):
        there.remote.catch_up()
    assert there.head() == made


def test_a_release_that_fails_lets_the_next_one_in(join: Join) -> None:
    here, there = join(), join()
    with pytest.raises(ZeroDivisionError), here.remote.alone("one"):
        raise ZeroDivisionError
    with there.remote.alone("two"):
        pass


@pytest.mark.parametrize("write", ["branch", "commit", "tag", "marks", "dropping"])
def test_whose_lock_was_taken_over_writes_nothing(join: Join, write: str) -> None:
    here, there = join(), join()
    start = here.head()
    there.mark("v0.9.0", start)
    there.remote.push_marks(("v0.9.0",))
    made = here.commit()
    here.tag("v1.0.0", made)
    here.mark("v1.0.0", made)
    writes: dict[str, Callable[[], object]] = {
        "branch": here.remote.push_branch,
        "commit": lambda: here.remote.push_commit(made, "proposal"),
        "tag": lambda: here.remote.push_tag("v1.0.0"),
        "marks": lambda: here.remote.push_marks(("v1.0.0",)),
        "dropping": lambda: here.remote.drop_marks(("v0.9.0",)),
    }
    with here.remote.alone("one"):
        here.lose_lock()
        for _ in range(2):
            with pytest.raises(FencedError):
                writes[write]()
    assert here.tips() == {"main": start}
    assert here.remote.read_tags() == {}
    there.remote.catch_up()
    assert there.marks() == {"v0.9.0": start}
