from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer, ThreadingTCPServer

import psutil
import pytest

from switchover.adapters.git_history import GitHistory
from switchover.adapters.git_lock_record import CLOCK_DIFFERENCE_SECONDS, LockRecord, new_record, write_record
from switchover.adapters.git_program import open_checkout, redact
from switchover.adapters.git_remote import GitRemote
from switchover.decide.edits import Edit
from switchover.decide.outcome import Done, Skipped
from switchover.errors import BusyError, FencedError, InputError, TargetError
from tests.git_repository import Repository, clone, new_bare, new_repository

LOCK = "refs/switchover/release-lock"
BRANCH_LOCK = "refs/heads/switchover/release-lock"
ONLY_BRANCHES_AND_TAGS = """case $1 in
refs/heads/*|refs/tags/*) ;;
*) echo "refs outside refs/heads and refs/tags are illegal here" >&2; exit 1;;
esac
"""


@pytest.fixture
def bare(tmp_path: Path) -> Repository:
    made = new_bare(tmp_path / "shared.git")
    first = new_repository(tmp_path / "first")
    first.commit("feat: start", {"a.txt": "1"})
    first.git("push", "--quiet", str(made.root), "main")
    return made


@pytest.fixture
def checkout(bare: Repository, tmp_path: Path) -> Repository:
    return clone(bare, tmp_path / "checkout")


@pytest.fixture
def other(bare: Repository, tmp_path: Path) -> Repository:
    return clone(bare, tmp_path / "other")


def remote_of(
    repository: Repository, *, term: float = 120.0, patience: float = 60.0, clock: Callable[[], float] = time.time
) -> GitRemote:
    return GitRemote(repository.root, "origin", term_seconds=term, patience_seconds=patience, clock=clock)


def hook(bare: Repository, name: str, script: str) -> None:
    file = bare.root / "hooks" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)


def refs(bare: Repository, *patterns: str) -> list[str]:
    return bare.git("for-each-ref", "--format=%(refname)", *patterns).splitlines()


def wait_until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.02)


def put_lock(repository: Repository, record: LockRecord, ref: str = LOCK) -> None:
    """Let somebody else hold the lock."""
    commit = write_record(open_checkout(repository.root), record, record.since)
    repository.git("push", "--quiet", "--force", "origin", f"{commit}:{ref}")


def of_another_machine(now: float = 1_700_000_000.0) -> LockRecord:
    return replace(new_record("release 3 of Bob", now, 120.0), host="far-away", machine="another start of another one")


def test_a_remote_that_is_not_there_is_refused_with_those_that_are(checkout: Repository) -> None:
    checkout.git("remote", "add", "backup", "elsewhere")
    with pytest.raises(InputError, match="one of backup, origin"):
        GitRemote(checkout.root, "upstream")
    for name in ("backup", "origin"):
        checkout.git("remote", "remove", name)
    with pytest.raises(InputError, match="git remote add origin"):
        GitRemote(checkout.root, "origin")


def test_a_detached_head_is_refused(checkout: Repository) -> None:
    checkout.git("switch", "--quiet", "--detach")
    for work in (remote_of(checkout).catch_up, remote_of(checkout).push_branch):
        with pytest.raises(InputError, match=r"detached HEAD[\s\S]*git switch main"):
            work()


def test_a_branch_that_is_new_there_is_made(checkout: Repository, bare: Repository) -> None:
    checkout.git("switch", "--quiet", "--create", "next")
    remote = remote_of(checkout)
    remote.catch_up()
    remote.push_branch()
    assert bare.git("rev-parse", "next") == checkout.git("rev-parse", "next")


def test_an_empty_repository_gets_the_first_branch(tmp_path: Path) -> None:
    bare, first = new_bare(tmp_path / "empty.git"), new_repository(tmp_path / "work")
    made = first.commit("feat: start")
    first.git("remote", "add", "origin", str(bare.root))
    with remote_of(first).alone("Ada"):
        remote_of(first).catch_up()
        remote_of(first).push_branch()
    assert bare.git("rev-parse", "main") == made


def test_a_file_in_the_way_keeps_the_branch_where_it_is(checkout: Repository, other: Repository) -> None:
    other.commit("feat: b", {"b.txt": "theirs"})
    remote_of(other).push_branch()
    head = checkout.git("rev-parse", "HEAD")
    checkout.write("b.txt", "mine")
    with pytest.raises(InputError, match=r"b\.txt[\s\S]*git merge --ff-only origin/main"):
        remote_of(checkout).catch_up()
    assert (checkout.root / "b.txt").read_text(encoding="utf-8") == "mine"
    assert checkout.git("rev-parse", "HEAD") == head


def test_two_tag_objects_of_one_commit_are_no_matter(checkout: Repository, other: Repository) -> None:
    for repository, words in ((checkout, "one"), (other, "two")):
        repository.git("tag", "--annotate", "--message", words, "v1.0.0")
    assert isinstance(remote_of(other).push_tag("v1.0.0"), Done)
    remote_of(checkout).catch_up()
    assert isinstance(remote_of(checkout).push_tag("v1.0.0"), Skipped)
    assert checkout.git("tag", "--list", "--format=%(subject)") == "one"


def test_a_tag_that_was_moved_there_is_never_taken_by_force(checkout: Repository, other: Repository) -> None:
    checkout.git("tag", "v1")
    moved = other.commit("feat: more")
    other.git("tag", "v1")
    other.git("push", "--quiet", "origin", "main", "v1")
    with pytest.raises(InputError, match=f"v1 is elsewhere[\\s\\S]*{moved[:12]}") as refused:
        remote_of(checkout).catch_up()
    command = refused.value.problem.next_step.partition(": ")[2]
    checkout.git(*command.split()[1:])
    remote_of(checkout).catch_up()
    assert checkout.git("rev-parse", "v1") == moved


def grow(repository: Repository, commits: int) -> str:
    for number in range(commits):
        repository.commit(f"feat: {number}", {f"{number}.txt": "x"})
    repository.git("push", "--quiet", "origin", "main")
    return repository.git("rev-parse", "HEAD")


def test_a_shallow_clone_stays_shallow_and_gets_what_is_new(
    bare: Repository, other: Repository, tmp_path: Path
) -> None:
    other.git("tag", "v0.0.1")
    grow(other, 3)
    shallow = clone(bare, tmp_path / "shallow", "--depth=1")
    newest = grow(other, 2)
    other.git("tag", "v0.0.2", "HEAD^")
    other.git("tag", "withdrawn/v0.0.1", "v0.0.1")
    other.git("push", "--quiet", "origin", "--tags")
    remote_of(shallow).catch_up()
    assert shallow.git("rev-parse", "HEAD") == newest
    assert shallow.git("status", "--porcelain") == ""
    assert GitHistory(shallow.root).is_shallow()
    remote_of(shallow).catch_up()
    assert "v0.0.2" in shallow.git("tag", "--list")
    assert GitHistory(shallow.root).read_withdrawn() == ("v0.0.1",)


def test_a_shallow_clone_is_completed_where_it_cannot_tell_otherwise(
    bare: Repository, other: Repository, tmp_path: Path
) -> None:
    start = other.git("rev-parse", "HEAD")
    newest = grow(other, 3)
    shallow = clone(bare, tmp_path / "shallow", "--depth=1")
    bare.git("update-ref", "refs/heads/main", start)
    remote_of(shallow).catch_up()
    assert shallow.git("rev-parse", "HEAD") == newest
    assert not GitHistory(shallow.root).is_shallow()
    remote_of(shallow).push_branch()
    assert bare.git("rev-parse", "main") == newest


def test_a_server_that_refuses_the_branch_is_quoted_and_the_lock_stays_ours(
    checkout: Repository, bare: Repository
) -> None:
    hook(bare, "update", '[ "$1" != refs/heads/main ] || { echo "GH006: Protected branch update failed" >&2; exit 1; }')
    remote = remote_of(checkout)
    made = checkout.commit("feat: more")
    with remote.alone("Ada"):
        with pytest.raises(InputError, match=r"GH006: Protected branch[\s\S]*versions = \"pull-request\""):
            remote.push_branch()
        remote.push_commit(made, "switchover/release-main")
    assert bare.git("rev-parse", "switchover/release-main") == made
    assert refs(bare, "refs/switchover") == []


def test_an_answer_that_was_lost_is_looked_up(checkout: Repository, bare: Repository) -> None:
    """The server has done it, and then says nothing any more."""
    hook(bare, "post-receive", "grep --quiet refs/heads/main && sleep 600 || true")
    remote = remote_of(checkout, patience=3)
    with remote.alone("Ada"):
        made = checkout.commit("feat: more")
        remote.push_branch()
        assert bare.git("rev-parse", "main") == made
        remote.push_commit(made, "another")
    assert bare.git("rev-parse", "another") == made


@pytest.fixture(params=["file", "git daemon"])
def address(request: pytest.FixtureRequest, bare: Repository) -> Iterator[str]:
    if request.param == "file":
        yield bare.root.as_uri()
        return

    class Conversation(StreamRequestHandler):
        def handle(self) -> None:
            bare.git("config", "daemon.receivepack", "true")
            command = ["git", "daemon", "--inetd", "--export-all", f"--base-path={bare.root.parent}"]
            talk = self.request.fileno()
            subprocess.run(command, stdin=talk, stdout=talk, stderr=subprocess.DEVNULL, check=False)

    with serving(ThreadingTCPServer(("127.0.0.1", 0), Conversation)) as port:
        yield f"git://127.0.0.1:{port}/{bare.root.name}"


@contextmanager
def serving(server: TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_whole_release_goes_through_whatever_the_server_speaks(
    checkout: Repository, bare: Repository, address: str
) -> None:
    checkout.git("remote", "set-url", "origin", address)
    remote, history = remote_of(checkout), GitHistory(checkout.root)
    with remote.alone("Ada"):
        remote.catch_up()
        made = checkout.commit("chore(release): a@1.0.0")
        remote.push_branch()
        history.mark("a@1.0.0", made)
        remote.push_marks(("a@1.0.0",))
        history.tag("a@1.0.0", made, "a@1.0.0\n")
        assert isinstance(remote.push_tag("a@1.0.0"), Done)
        remote.drop_marks(("a@1.0.0",))
        assert refs(bare) == ["refs/heads/main", LOCK, "refs/tags/a@1.0.0"]
    assert refs(bare) == ["refs/heads/main", "refs/tags/a@1.0.0"]
    assert remote.read_tags() == {"a@1.0.0": made}
    assert bare.git("rev-parse", "main") == made


def test_who_holds_the_lock_is_named_with_host_times_and_the_way_out(checkout: Repository, other: Repository) -> None:
    clock = time.time
    with remote_of(other, clock=clock).alone("release 7 of Ada"):
        with pytest.raises(BusyError) as refused, remote_of(checkout).alone("another"):
            pass
        problem = refused.value.problem
        assert re.search(
            rf"release 7 of Ada \(process {os.getpid()} on {re.escape(socket.gethostname())}\), "
            r"since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, until \d{4}-",
            problem.found,
        )
        command = problem.next_step.rpartition("by: ")[2]
        checkout.git(*command.split()[1:])
        with remote_of(checkout).alone("another"):
            pass


def test_a_lock_of_another_machine_ends_with_its_time_and_the_difference_of_clocks(
    checkout: Repository, bare: Repository
) -> None:
    record = of_another_machine()
    put_lock(checkout, record)
    end = record.until + CLOCK_DIFFERENCE_SECONDS
    with (
        pytest.raises(BusyError, match="release 3 of Bob"),
        remote_of(checkout, clock=lambda: end - 1).alone("Ada"),
    ):
        pass
    with remote_of(checkout, clock=lambda: end + 1).alone("Ada"):
        assert "Ada" in bare.git("cat-file", "commit", LOCK)
    assert refs(bare, "refs/switchover") == []


def test_a_lock_that_cannot_be_read_is_respected(checkout: Repository) -> None:
    checkout.git("push", "--quiet", "origin", f"HEAD:{LOCK}")
    with pytest.raises(BusyError, match="cannot read"), remote_of(checkout).alone("Ada"):
        pass


@pytest.mark.parametrize("value", [0, -1, "soon", None, True, 1e300])
def test_a_lock_with_a_senseless_time_is_respected(checkout: Repository, value: object) -> None:
    put_lock(checkout, replace(of_another_machine(), until=value))  # type: ignore[arg-type]  # what others may write
    expected = "release 3 of Bob" if value == 0 else "cannot read"
    with pytest.raises(BusyError, match=expected), remote_of(checkout, clock=lambda: 20.0).alone("Ada"):
        pass


HOLDER = """
import sys
from pathlib import Path
from switchover.adapters.git_remote import GitRemote
with GitRemote(Path(sys.argv[1]), "origin").alone("who is killed"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_holder_that_was_killed_on_this_machine_is_followed_at_once(checkout: Repository, other: Repository) -> None:
    if not Path("/proc/self/ns/pid").exists():
        pytest.skip("this system does not say whose process numbers are the same; the lock ends by its time")
    command = (sys.executable, "-c", HOLDER, str(other.root))
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with holder, closing(holder.stdin or sys.stdin):
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(BusyError, match=f"who is killed \\(process {holder.pid} "),
            remote_of(checkout).alone("Ada"),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with remote_of(checkout).alone("Ada"):
            pass


def test_the_lock_is_renewed_while_it_is_held(checkout: Repository, bare: Repository) -> None:
    remote = remote_of(checkout, term=1.5)
    with remote.alone("Ada"):
        seen = {bare.git("rev-parse", LOCK)}

        def renewed() -> bool:
            seen.add(bare.git("rev-parse", LOCK))
            return len(seen) > 2

        wait_until(renewed)
        remote.push_commit(checkout.git("rev-parse", "HEAD"), "another")
    assert refs(bare, "refs/switchover") == []


def test_a_release_that_slept_too_long_notices_by_itself_and_leaves_the_new_lock_alone(
    checkout: Repository, other: Repository, bare: Repository
) -> None:
    remote = remote_of(checkout, term=1.5)
    made = checkout.commit("feat: more")
    with remote.alone("Ada"):
        put_lock(other, of_another_machine(time.time()))
        taken = bare.git("rev-parse", LOCK)
        wait_until(lambda: not any(each.name == "release-lock" for each in threading.enumerate()))
        with pytest.raises(FencedError, match="release 3 of Bob"):
            remote.push_branch()
    assert bare.git("rev-parse", LOCK) == taken
    assert bare.git("rev-parse", "main") != made


def test_a_server_without_transactions_is_asked_for_the_lock_before_every_write(
    checkout: Repository, other: Repository, bare: Repository
) -> None:
    """AWS CodeCommit is one."""
    bare.git("config", "receive.advertiseAtomic", "false")
    remote = remote_of(checkout)
    made = checkout.commit("feat: more")
    with remote.alone("Ada"):
        remote.push_branch()
        GitHistory(checkout.root).mark("v1.0.0", made)
        GitHistory(checkout.root).mark("v2.0.0", made)
        remote.push_marks(("v1.0.0", "v2.0.0"))
        assert bare.git("rev-parse", "main") == made
        put_lock(other, of_another_machine(time.time()))
        with pytest.raises(FencedError):
            remote.push_commit(made, "another")
        with pytest.raises(FencedError):
            remote.drop_marks(("v1.0.0",))
    assert refs(bare, "refs/heads") == ["refs/heads/main"]
    assert len(refs(bare, "refs/switchover/under-way")) == 2


@pytest.mark.parametrize("refusal", ["hook", "hidden"])
def test_a_server_that_takes_branches_and_tags_only_gets_a_branch(
    checkout: Repository, other: Repository, bare: Repository, refusal: str
) -> None:
    """Alibaba's Codeup is one."""
    if refusal == "hook":
        hook(bare, "update", ONLY_BRANCHES_AND_TAGS)
    else:
        bare.git("config", "transfer.hideRefs", "refs/switchover")
    remote = remote_of(checkout)
    made = checkout.commit("feat: more")
    with remote.alone("Ada"):
        assert refs(bare, "refs/switchover", "refs/heads/switchover") == [BRANCH_LOCK]
        with pytest.raises(BusyError, match="Ada"), remote_of(other).alone("Bob"):
            pass
        remote.push_branch()
        GitHistory(checkout.root).mark("v1.0.0", made)
        remote.push_marks(("v1.0.0",))
    assert refs(bare, "refs/heads") == ["refs/heads/main", "refs/heads/switchover/under-way/v1.0.0"]
    remote_of(other).catch_up()
    assert GitHistory(other.root).read_marks() == {"v1.0.0": made}
    with remote_of(other).alone("Bob"):
        remote_of(other).drop_marks(("v1.0.0",))
    assert refs(bare, "refs/heads") == ["refs/heads/main"]


def test_who_may_write_the_first_name_respects_who_holds_the_second(checkout: Repository, bare: Repository) -> None:
    put_lock(checkout, of_another_machine(time.time()), BRANCH_LOCK)
    with pytest.raises(BusyError, match=BRANCH_LOCK), remote_of(checkout).alone("Ada"):
        pass
    assert refs(bare, "refs/switchover") == []


def test_who_finds_the_other_name_taken_after_writing_gives_way(checkout: Repository, bare: Repository) -> None:
    """Both write before either looks: the hook plays the one who was as fast."""
    put_lock(checkout, of_another_machine(time.time()), "refs/heads/waiting")
    commit = bare.git("rev-parse", "waiting")
    hook(bare, "post-update", f'[ "$1" != {LOCK} ] || git update-ref {BRANCH_LOCK} {commit}')
    with pytest.raises(BusyError, match="release 3 of Bob"), remote_of(checkout).alone("Ada"):
        pass
    assert refs(bare, "refs/switchover") == []


def test_of_many_at_once_one_works_and_the_others_wait(bare: Repository, tmp_path: Path) -> None:
    checkouts = [clone(bare, tmp_path / f"machine{number}") for number in range(5)]
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> str:
        try:
            with remote_of(checkouts[number]).alone(f"machine {number}"):
                inside.append(number)
                most.append(len(inside))
                remote_of(checkouts[number]).read_tags()
                inside.remove(number)
        except (BusyError, TargetError) as error:
            return type(error).__name__
        return "worked"

    with ThreadPoolExecutor(5) as pool:
        ends = [end for _ in range(2) for end in pool.map(work, range(5))]
    assert "worked" in ends
    assert max(most) == 1
    assert refs(bare) == ["refs/heads/main"]


def test_a_server_that_lets_nobody_lock_is_quoted(checkout: Repository, bare: Repository) -> None:
    hook(bare, "pre-receive", "echo read-only on Sundays >&2; exit 1")
    with (
        pytest.raises(InputError, match=r"cannot be locked[\s\S]*read-only on Sundays"),
        remote_of(checkout).alone("A"),
    ):
        pass
    assert refs(bare) == ["refs/heads/main"]


def test_where_nothing_may_be_removed_the_lock_says_that_it_is_given_back(
    checkout: Repository, other: Repository, bare: Repository
) -> None:
    hook(bare, "update", '[ "${3#000000}" = "$3" ] || { echo nothing is removed here >&2; exit 1; }')
    for repository in (checkout, other, checkout):
        with remote_of(repository).alone("Ada"):
            pass
    assert '"released": true' in bare.git("cat-file", "commit", LOCK)


def test_an_address_that_nobody_answers_ends_with_a_clear_error(checkout: Repository) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        checkout.git("remote", "set-url", "origin", f"git://127.0.0.1:{silent.getsockname()[1]}/shared.git")
        with pytest.raises(TargetError, match="no answer within"), remote_of(checkout, patience=0.5).alone("Ada"):
            pass


def test_what_git_started_for_a_conversation_ends_with_it(checkout: Repository, tmp_path: Path) -> None:
    helper, noted = tmp_path / "helper", tmp_path / "pids"
    helper.write_text(
        f"#!/bin/sh\ntrap '' TERM\nsleep 600 &\necho $! $$ > {noted}\nwait\nsleep 600\n", encoding="utf-8"
    )
    helper.chmod(0o755)
    checkout.git("config", "protocol.ext.allow", "always")
    checkout.git("remote", "set-url", "origin", f"ext::{helper}")
    with pytest.raises(TargetError, match="no answer within"):
        remote_of(checkout, patience=2).read_tags()
    for number in noted.read_text(encoding="utf-8").split():
        wait_until(lambda pid=int(number): not _runs(pid))  # type: ignore[misc]  # bound where it is made


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Stranger(BaseHTTPRequestHandler):
    """A server that knows nobody."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name is the library's
        """Say nothing."""


@pytest.mark.parametrize("login", ["", "ada:geheim@"])
def test_credentials_that_do_not_count_are_the_users_and_are_never_shown(checkout: Repository, login: str) -> None:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Stranger)) as port:
        checkout.git("remote", "set-url", "origin", f"http://{login}127.0.0.1:{port}/shared.git")
        with pytest.raises(InputError) as refused:
            remote_of(checkout).read_tags()
    assert "geheim" not in str(refused.value)
    assert "127.0.0.1" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fatal: 'https://ada:ge@heim@host/x' not found", "fatal: 'https://***@host/x' not found"),
        ("https://token@host/x ssh://git@host/y", "https://***@host/x ssh://***@host/y"),
        ("=> Send header: Authorization: Basic Z2VoZWlt", "=> Send header: Authorization: ***"),
        ("https://host/a@b and git@host:x", "https://host/a@b and git@host:x"),
    ],
)
def test_credentials_are_taken_out_of_what_git_says(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_a_folder_that_is_no_repository_is_the_users(checkout: Repository, tmp_path: Path) -> None:
    checkout.git("remote", "set-url", "origin", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="does not appear to be a git repository"):
        remote_of(checkout).catch_up()


def test_hooks_of_the_checkout_are_not_run_by_a_release(checkout: Repository) -> None:
    noted = checkout.root / ".git" / "noted"
    for name in ("pre-push", "reference-transaction", "post-checkout"):
        hook(Repository(checkout.root / ".git"), name, f"echo {name} >> {noted}")
    remote = remote_of(checkout)
    with remote.alone("Ada"):
        GitHistory(checkout.root).commit_edits((Edit("words.md", "words\n"),), "docs: words\n")
        remote.push_branch()
    assert not noted.exists()
