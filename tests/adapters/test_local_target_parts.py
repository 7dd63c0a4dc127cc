"""The parts of the target `local` that need no running environment."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import switchover
from switchover.adapters.artifact_folder import unpack_artifact
from switchover.adapters.environment_folder import open_environment_folder
from switchover.adapters.envoy_config import boundary_samples, read_weights, render_route
from switchover.adapters.private_files import ensure_private_folder, write_private
from switchover.adapters.replica_events import read_replica_history
from switchover.adapters.replica_logs import count_log_lines, read_log_end, tells_of_no_memory
from switchover.adapters.supervisor_config import Program, render_group
from switchover.errors import TargetError
from switchover.model import Colour, Route
from tests.fakes import InMemoryArtifactStore

PERCENT = st.integers(0, 100)


FIND = """
import sys
sys.path.insert(0, sys.argv[1])
from switchover.adapters.envoy_program import find_envoy
from switchover.errors import MissingProgramError
try:
    find_envoy()
except MissingProgramError as error:
    sys.exit(error.problem.failed)
"""


def test_without_envoy_the_error_says_so() -> None:
    # Without site-packages and PATH an interpreter finds no Envoy on any machine.
    command = [sys.executable, "-I", "-S", "-c", FIND, str(Path(switchover.__file__).parent.parent)]
    found = subprocess.run(command, env={"PATH": ""}, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (1, "Envoy is not installed\n")


@given(PERCENT)
def test_a_rendered_route_reads_back(blue: int) -> None:
    assert read_weights(render_route("shop", Route(blue, 100 - blue))) == Route(blue, 100 - blue)


@given(PERCENT, PERCENT)
def test_the_boundary_samples_tell_every_split_from_every_other(wanted: int, actual: int) -> None:
    shown = {point: Colour.BLUE if point < actual else Colour.GREEN for point in range(100)}
    agree = all(shown[point] == colour for point, colour in boundary_samples(Route(wanted, 100 - wanted)))
    assert agree == (wanted == actual)


def test_a_foreign_route_has_no_weights() -> None:
    assert read_weights({"name": "shop", "virtual_hosts": []}) is None


def write_events(path: Path, *events: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(event) + "\n" for event in events) + '{"at": 9, "rep')
    return path


def spawn(at: float, daemon: int = 1) -> dict[str, object]:
    return {"at": at, "replica": 0, "event": "spawn", "daemon": daemon}


def leave(at: float, **fields: object) -> dict[str, object]:
    base = {"at": at, "replica": 0, "event": "exit", "status": None, "signal": None, "asked": False}
    return base | {"out_of_memory": False} | fields


def test_a_spawn_after_a_crash_is_a_restart_and_one_after_a_stop_is_not(tmp_path: Path) -> None:
    events = [spawn(1), leave(2, status=3), spawn(3), leave(4, signal=15, asked=True), spawn(5)]
    history = read_replica_history(write_events(tmp_path / "events", *events))
    assert history.restart_times == (3,)
    assert history.last_exits == {0: "exited with status 3"}
    assert not history.out_of_memory


def test_a_spawn_under_another_supervisor_is_no_restart(tmp_path: Path) -> None:
    assert read_replica_history(write_events(tmp_path / "events", spawn(1), spawn(2, daemon=2))).restart_times == ()


def test_a_replica_whose_runner_vanished_was_restarted(tmp_path: Path) -> None:
    assert read_replica_history(write_events(tmp_path / "events", spawn(1), spawn(2))).restart_times == (2,)


def test_a_sigkill_of_our_own_is_no_lack_of_memory(tmp_path: Path) -> None:
    assert not read_replica_history(
        write_events(tmp_path / "a", spawn(1), leave(2, signal=9, asked=True))
    ).out_of_memory
    assert read_replica_history(write_events(tmp_path / "b", spawn(1), leave(2, signal=9))).out_of_memory


def test_log_counts_go_on_across_rotation_and_readers(tmp_path: Path) -> None:
    log, cursors = tmp_path / "replica-0.log", tmp_path / "cursors"
    log.write_text("one\nERROR two\nhal")
    assert count_log_lines((log,), "ERROR", cursors) == (2, 1)
    with log.open("a") as file:
        file.write("f ERROR\n")
    log.rename(tmp_path / "replica-0.log.1")
    log.write_text("four\n")
    assert count_log_lines((log,), "ERROR", cursors) == (4, 2)
    assert count_log_lines((log,), "ERROR", cursors) == (4, 2)


def test_the_end_of_the_newest_log_is_read(tmp_path: Path) -> None:
    old, new = tmp_path / "replica-0.log", tmp_path / "replica-1.log"
    old.write_text("old\n")
    new.write_text("a\nb\nc\n")
    os.utime(old, (1, 1))
    assert read_log_end((old, new, tmp_path / "absent"), 2) == ("b", "c")
    assert read_log_end((), 2) == ()


def test_a_runtime_that_found_no_memory_is_recognised(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("Traceback (most recent call last):\nMemoryError\n")
    assert tells_of_no_memory(log)
    log.write_text("no MemoryError here\n")
    assert not tells_of_no_memory(log)


def pack(folder: Path, member: str) -> Path:
    archive = folder / "archive.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        info = tarfile.TarInfo(member)
        info.size = 2
        tar.addfile(info, io.BytesIO(b"hi"))
    return archive


def test_an_artifact_is_unpacked_anew_each_time_from_checked_bytes(tmp_path: Path) -> None:
    store = InMemoryArtifactStore(tmp_path)
    artifact = store.put("shop", "1.0.0", "service", pack(tmp_path, "hello"))
    folder = tmp_path / "unpacked"
    folder.mkdir()
    unpacked = unpack_artifact(artifact, store, folder)
    assert (unpacked / "hello").read_text() == "hi"
    (unpacked / "hello").write_text("changed by a release")
    again = unpack_artifact(artifact, store, folder)
    assert (again / "hello").read_text() == "hi"


def test_what_a_killed_process_has_unpacked_is_removed(tmp_path: Path) -> None:
    store = InMemoryArtifactStore(tmp_path)
    artifact = store.put("shop", "1.0.0", "service", pack(tmp_path, "hello"))
    folder = tmp_path / "unpacked"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (folder / f"abc.{gone.pid}").mkdir(parents=True)
    unpacked = unpack_artifact(artifact, store, folder)
    assert list(folder.iterdir()) == [unpacked]


def test_an_artifact_that_leaves_its_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "unpacked").mkdir()
    store = InMemoryArtifactStore(tmp_path)
    artifact = store.put("shop", "1.0.0", "service", pack(tmp_path, "../escaped"))
    with pytest.raises(TargetError, match="cannot unpack shop"):
        unpack_artifact(artifact, store, tmp_path / "unpacked")
    assert not (tmp_path / "escaped").exists()
    assert list((tmp_path / "unpacked").iterdir()) == []


def test_something_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no archive")
    store = InMemoryArtifactStore(tmp_path)
    artifact = store.put("shop", "1.0.0", "service", tmp_path / "text")
    with pytest.raises(TargetError, match="cannot unpack"):
        unpack_artifact(artifact, store, tmp_path)


def test_percent_signs_and_spaces_survive_the_supervisors_syntax(tmp_path: Path) -> None:
    program = Program("shop-blue-0", ("run", "100 %(ENV_HOME)s"), tmp_path / "50%.log", 3)
    text = render_group("shop-blue", (program,))
    assert "command=run '100 %%(ENV_HOME)s'" in text
    assert "50%%.log" in text


def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(TargetError, match="is not private"):
        ensure_private_folder(tmp_path)


def test_a_file_is_replaced_only_when_it_changes(tmp_path: Path) -> None:
    assert write_private(tmp_path / "a", "x")
    inode = (tmp_path / "a").stat().st_ino
    assert not write_private(tmp_path / "a", "x")
    assert (tmp_path / "a").stat().st_ino == inode
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_the_sockets_are_short_however_deep_the_state_is(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    deep = tmp_path / ("deep" * 50) / "state"
    folder = open_environment_folder(deep, {"XDG_RUNTIME_DIR": str(run)})
    assert len(str(folder.supervisor_socket)) - len(str(run)) < 40
    again = open_environment_folder(deep, {"XDG_RUNTIME_DIR": str(tmp_path)})
    assert again == folder


def test_another_place_is_chosen_when_the_runtime_folder_is_gone(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    assert open_environment_folder(tmp_path / "state", {"XDG_RUNTIME_DIR": str(first)}).run.is_relative_to(first)
    first.rmdir()
    assert open_environment_folder(tmp_path / "state", {"XDG_RUNTIME_DIR": str(second)}).run.is_relative_to(second)


def test_a_place_for_sockets_that_others_have_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"sw-{os.getuid()}").mkdir(mode=0o755)
    (tmp_path / f"sw-{os.getuid()}").chmod(0o777)
    with pytest.raises(TargetError, match="is not private"):
        open_environment_folder(tmp_path / "state", {"XDG_RUNTIME_DIR": str(tmp_path)}).make_run_folder()
