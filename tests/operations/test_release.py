"""The stages of a release on real repositories, and the release that is killed at every effect."""

from __future__ import annotations

import dataclasses
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from switchover.adapters.git_remote import GitRemote
from switchover.adapters.release_tools import open_release_tools, read_release_scope
from switchover.decide.components import Component, ComponentKind
from switchover.decide.outcome import Done, Failed, Outcome, Skipped
from switchover.errors import BusyError, InputError, MissingProgramError, SwitchoverError
from switchover.operations.planning import ReleaseSettings
from switchover.operations.release import ReleaseReport, alone, release
from switchover.operations.release_ports import ReleaseTools, Scanned
from switchover.operations.withdrawal import withdraw
from tests.fakes import FakeClock
from tests.fakes_forge import InMemoryForge
from tests.fakes_release import InMemoryDestination
from tests.git_repository import Repository, clone, new_bare, new_workspace

EFFECTS = {
    "history": ("commit_edits", "reserve", "mark", "tag", "drop_mark"),
    "store": ("put", "publish"),
    "npm": ("publish", "move_pointer"),
    "forge": ("draft_release", "upload_asset", "publish_release", "upload_sarif"),
    "remote": ("push_branch", "push_marks", "push_tag", "drop_marks"),
}
COMPONENTS = ["@acme/core@1.0.1", "@acme/ui@1.0.1", "cart@1.1.0"]


class KilledError(Exception):
    """Stands for the end of the process."""


class Dying:
    """A port that counts effects and dies right before or right after one of them."""

    def __init__(self, port: Any, effects: tuple[str, ...], count: Callable[[], None]) -> None:
        self._port, self._effects, self._count = port, effects, count

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._port, name)
        if name not in self._effects:
            return real

        def effect(*arguments: Any, **named: Any) -> Any:
            self._count()
            answer = real(*arguments, **named)
            self._count()
            return answer

        return effect


class Packer:
    """Packs without npm: the tarball is the commit's name."""

    def pack(self, component: Component, commit: str, folder: Path) -> Path:
        archive = folder / f"{component.name.removeprefix('@').replace('/', '-')}-{component.version}.tgz"
        archive.write_bytes(f"{component} {commit}".encode())
        return archive


class NoPacker:
    """A machine without npm."""

    def pack(self, component: Component, commit: str, folder: Path) -> Path:
        raise MissingProgramError(
            f"{component} {commit}", expected="npm", found="no npm on the PATH", next_step=str(folder)
        )


class Stage:
    """A scanner or signer with one answer, whose bytes differ each time as real ones' do."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def scan(self, archive: Path, folder: Path) -> Scanned:
        report = folder / f"{archive.name}.trivy.json"
        report.write_text(f"scanned {id(object())} {archive.read_bytes()[:9]!r}")
        return Scanned(self._outcome, report=report, sarif=report, sbom=report)

    def sign_file(self, file: Path, signature: Path) -> Outcome:
        signature.write_bytes(f"signed {id(object())} {file.name}".encode())
        return self._outcome

    def sign_image(self, reference: str, sbom: Path | None) -> Outcome:
        raise AssertionError(reference, sbom)


class PushedTags(set[str]):
    """The tags that a bare repository has, as the forge that belongs to it sees them."""

    def __init__(self, shared: Repository) -> None:
        super().__init__()
        self._shared = shared

    def __contains__(self, tag: object) -> bool:
        return tag in self._shared.git("tag", "--list").split()


@dataclasses.dataclass(slots=True)
class World:
    """A checkout and, unless it is alone, a shared repository with a forge beside it, and an npm registry."""

    root: Path
    connected: bool = False
    npm: InMemoryDestination = dataclasses.field(default_factory=InMemoryDestination)
    clock: FakeClock = dataclasses.field(default_factory=FakeClock)
    forge: InMemoryForge | None = None

    @property
    def repository(self) -> Repository:
        return Repository(self.root / "repository")

    @property
    def shared(self) -> Repository:
        return Repository(self.root / "shared.git")

    def copy(self, root: Path) -> World:
        """The same files elsewhere, with places that nothing was published to."""
        shutil.copytree(self.root, root)
        world = World(root, self.connected)
        if self.connected:
            world.repository.git("remote", "set-url", "origin", world.shared.root.as_uri())
            world.forge = InMemoryForge(PushedTags(world.shared))
        return world

    def open(self, count: Callable[[], None] | None = None, **changed: Any) -> tuple[ReleaseTools, ReleaseSettings]:
        """The tools; with `count`, it is called before and after every effect."""
        scope = read_release_scope(self.repository.root)
        ports: dict[str, Any] = {
            "npm": self.npm if self.connected else None,
            "forge": self.forge,
            "remote": GitRemote(self.repository.root, "origin") if self.connected else None,
        }
        real = open_release_tools(scope, {})
        ports |= {"history": real.history, "store": real.store}
        if count is not None:
            ports = {name: port and Dying(port, EFFECTS[name], count) for name, port in ports.items()}
        npm = ports.pop("npm")
        tools = dataclasses.replace(
            real,
            scanner=Stage(Done("scan")),  # type: ignore[arg-type]
            source_scanner=None,
            signer=Stage(Done("sign")),  # type: ignore[arg-type]
            packer=Packer(),
            clock=self.clock,
            shows_findings=self.connected,
            makes_pages=self.connected,
            destination_of=lambda component: npm if component.kind is ComponentKind.NPM else None,
            **ports,
        )
        return dataclasses.replace(tools, **changed), scope.settings

    def run(self, count: Callable[[], None] | None = None, **changed: Any) -> ReleaseReport:
        work = self.root / "work"
        work.mkdir(exist_ok=True)
        return release(lambda: self.open(count, **changed), work)

    def kill_at(self, moment: int) -> None:
        left = iter(range(moment - 1, -1, -1))

        def count() -> None:
            if next(left) == 0:
                raise KilledError

        with pytest.raises(KilledError):
            self.run(count)

    def state(self) -> dict[str, Any]:
        """Everything that a release leaves behind; of signatures, whose bytes differ, that there are any."""
        store = self.open()[0].store
        names = ("cart", "@acme/core", "@acme/ui")
        refs = "--format=%(refname) %(objectname)"
        state: dict[str, Any] = {
            "head": self.repository.git("rev-parse", "HEAD"),
            "status": self.repository.git("status", "--porcelain"),
            "tags": self.repository.git("for-each-ref", refs, "refs/tags"),
            "marks": self.repository.git("for-each-ref", "refs/switchover"),
            "releases": {name: store.list_releases(name) for name in names},
            "signatures": [store.find_artifact(name, "1.0.1", "signature") is not None for name in names[1:]],
        }
        if self.connected and self.forge:
            state |= {
                "shared": self.shared.git("for-each-ref", refs),
                "npm": (self.npm.versions, self.npm.pointers),
                "pages": {
                    page.tag: (page.draft, page.notes, sorted(page.assets)) for page in self.forge.pages.values()
                },
                "uploads": sorted(page.tag for page in self.forge.pages.values()),
            }
        return state


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A checkout alone: everything goes into the store."""
    made = World(tmp_path / "world")
    new_workspace(made.repository.root)
    return made


@pytest.fixture
def connected(tmp_path: Path) -> World:
    """A checkout with a remote, a forge and an npm registry."""
    return make_connected(tmp_path / "connected")


def make_connected(root: Path) -> World:
    made = World(root, connected=True)
    origin = new_workspace(root / "origin")
    shared = new_bare(made.shared.root)
    origin.git("push", "--quiet", shared.root.as_uri(), "main", "--tags")
    clone(shared, made.repository.root)
    made.forge = InMemoryForge(PushedTags(shared))
    return made


def test_a_release_commits_publishes_and_tags_what_changed(world: World) -> None:
    report = world.run()
    assert sorted(str(each.component) for each in report.components) == COMPONENTS
    repository = world.repository
    assert repository.git("log", "-1", "--format=%H %s") == f"{report.commit} chore(release): cart@1.1.0 and 2 more"
    assert repository.git("ls-files", ".changeset") == ""
    assert '"@acme/core": "1.0.1"' in (repository.root / "packages/ui/package.json").read_text(encoding="utf-8")
    assert sorted(repository.git("tag", "--points-at", report.commit).split()) == COMPONENTS


def test_what_others_need_is_published_first_and_moving_tags_go_last(connected: World) -> None:
    report = connected.run()
    assert connected.npm.effects == [
        "publish @acme/core@1.0.1",
        "publish @acme/ui@1.0.1",
        "point @acme/core latest at 1.0.1",
        "point @acme/ui latest at 1.0.1",
    ]
    assert sorted(connected.shared.git("tag", "--points-at", "main").split()) == COMPONENTS
    assert connected.shared.git("rev-parse", "main") == report.commit
    assert connected.shared.git("for-each-ref", "refs/switchover") == ""


def test_a_page_has_the_files_with_their_checksums_and_where_they_are_from(connected: World) -> None:
    report = connected.run()
    assert connected.forge is not None
    pages = {page.tag: page for page in connected.forge.pages.values()}
    assert sorted(pages) == COMPONENTS
    ui = pages["@acme/ui@1.0.1"]
    assert not ui.draft
    assert sorted(ui.assets) == [
        "SHA256SUMS",
        "acme-ui-1.0.1.tgz",
        "acme-ui-1.0.1.tgz.cdx.json",
        "acme-ui-1.0.1.tgz.sigstore.json",
        "manifest.json",
    ]
    assert report.commit.encode() in (ui.assets["manifest.json"] or b"")
    assert f"{report.commit}" in ui.notes
    assert connected.forge.findings


@pytest.mark.parametrize("kind", ["alone", "connected"])
def test_a_finished_release_that_runs_again_does_nothing(tmp_path: Path, kind: str, world: World) -> None:
    chosen = world if kind == "alone" else make_connected(tmp_path / "connected")
    chosen.run()
    before, effects = chosen.state(), list(chosen.npm.effects)
    again = chosen.run()
    assert (again.changed, again.components) == (False, ())
    assert chosen.state() == before
    assert chosen.npm.effects == effects


def count_effects(world: World) -> int:
    seen: list[None] = []
    world.run(lambda: seen.append(None))
    return len(seen)


def each_moment(original: World, folder: Path, every: int) -> Iterator[str]:
    """Kill at each of the moments, run again, and say which ended elsewhere or did something twice.

    Odd moments are right before an effect, even ones right after it: the same to the world as before the next one.
    """
    undisturbed = original.copy(folder / "undisturbed")
    moments = count_effects(undisturbed)
    assert moments > (80 if original.connected else 30)
    expected, effects = undisturbed.state(), sorted(undisturbed.npm.effects)
    for moment in range(1, moments + 1, every):
        world = original.copy(folder / f"killed-{moment}")
        world.kill_at(moment)
        world.run()
        if world.state() != expected or sorted(world.npm.effects) != effects or world.run().changed:
            yield f"killed at moment {moment} of {moments}"
        shutil.rmtree(world.root)


def test_a_release_killed_before_or_after_any_effect_ends_the_same_when_it_runs_again(
    world: World, tmp_path: Path
) -> None:
    assert list(each_moment(world, tmp_path, 2)) == []


def test_a_release_to_registries_killed_at_some_effects_ends_the_same_when_it_runs_again(
    connected: World, tmp_path: Path
) -> None:
    assert list(each_moment(connected, tmp_path, 14)) == []


@pytest.mark.slow
def test_a_release_to_registries_killed_before_or_after_any_effect_ends_the_same(
    connected: World, tmp_path: Path
) -> None:
    assert list(each_moment(connected, tmp_path, 2)) == []


def find_moment(original: World, folder: Path, reached: Callable[[World], bool]) -> World:
    """A world whose release was killed at the first moment at which `reached` holds."""
    for moment in range(1, 200):
        world = original.copy(folder / f"moment-{moment}")
        world.kill_at(moment)
        if reached(world):
            return world
    raise AssertionError


def has_stored(world: World) -> bool:
    return world.open()[0].store.find_artifact("cart", "1.1.0", "service") is not None


def test_a_release_that_goes_on_after_new_commits_keeps_the_bytes_that_it_has_stored(
    world: World, tmp_path: Path
) -> None:
    killed = find_moment(world, tmp_path, has_stored)
    assert killed.open()[0].store.find("cart", "1.1.0") is None
    began = killed.repository.git("rev-parse", "HEAD")
    killed.repository.commit("docs: words", {"services/cart/main.py": "print('later')\n"})
    report = killed.run()
    assert report.commit == ""
    made_of = {each.component.name: each.release.source_commit for each in report.components if each.release}
    assert made_of["cart"] == began


def test_another_machine_goes_on_with_the_commit_that_a_killed_release_began_with(
    connected: World, tmp_path: Path
) -> None:
    killed = find_moment(connected, tmp_path, lambda world: "@acme/core" in world.npm.versions)
    began = killed.repository.git("rev-parse", "HEAD")
    shutil.rmtree(killed.repository.root)
    other = clone(killed.shared, killed.repository.root)
    other.commit("docs: words", {"packages/core/index.js": "export const core = 9\n"})
    report = killed.run()
    assert {str(each.component): each.pending.commit for each in report.components}["@acme/core@1.0.1"] == began
    assert not killed.run().changed


def test_what_people_point_at_by_hand_stays_when_another_release_does_not_concern_it(connected: World) -> None:
    connected.run()
    connected.npm.pointers["@acme/core"]["latest"] = "1.0.0"
    connected.repository.commit("fix(cart): once more", {"services/cart/main.py": "print('more')\n"})
    report = connected.run()
    assert [str(each.component) for each in report.components] == ["cart@1.1.1"]
    assert connected.npm.pointers["@acme/core"]["latest"] == "1.0.0"


def test_other_bytes_under_a_published_version_are_refused_before_anything_is_tagged(connected: World) -> None:
    core = Component("@acme/core", "@acme/core", "1.0.1", ComponentKind.NPM, "packages/core", "@acme/core@1.0.1")
    stranger = connected.root / "stranger.tgz"
    stranger.write_bytes(b"somebody else's")
    connected.npm.publish(core, stranger)
    with pytest.raises(InputError) as refused:
        connected.run()
    assert refused.value.problem.expected.startswith("sha256:")
    assert refused.value.problem.found.startswith("sha256:")
    assert "@acme/core@1.0.1" not in connected.shared.git("tag")
    assert list(connected.npm.versions) == ["@acme/core"]


def test_a_withdrawn_version_is_pointed_at_no_more_and_the_next_release_goes_above_it(connected: World) -> None:
    connected.run()
    connected.repository.commit("fix: worse", {"packages/core/index.js": "export const core = 3\n"})
    connected.run()
    assert connected.npm.pointers["@acme/core"]["latest"] == "1.0.2"
    tools, settings = connected.open()
    assert all(each.complete for each in withdraw(tools, settings, "@acme/core@1.0.2", "loses orders"))
    assert connected.npm.pointers["@acme/core"]["latest"] == "1.0.1"
    assert connected.npm.warnings["@acme/core"] == {"1.0.2": "loses orders"}
    assert "withdrawn/@acme/core@1.0.2" in connected.shared.git("tag")
    effects = list(connected.npm.effects)
    assert all(each.complete for each in withdraw(*connected.open(), "@acme/core@1.0.2", "loses orders"))
    assert not connected.run().changed
    assert connected.npm.effects == effects
    connected.repository.commit("fix: better", {"packages/core/index.js": "export const core = 4\n"})
    connected.run()
    assert connected.npm.pointers["@acme/core"]["latest"] == "1.0.3"


def test_a_repository_of_one_version_has_one_tag_and_one_page_for_everything(connected: World) -> None:
    repository = connected.repository
    toml = (repository.root / "switchover.toml").read_text(encoding="utf-8")
    settings = "[release]\nsingle_version = true\n"
    repository.commit("chore: one version", {"switchover.toml": f"{toml}\n{settings}"})
    repository.git("tag", "--annotate", "--message", "all", "v1.0.0", "@acme/core@1.0.0^{}")
    repository.git("push", "--quiet", "origin", "main", "v1.0.0")
    report = connected.run()
    assert {each.component.tag for each in report.components} == {"v1.1.0"}
    assert connected.shared.git("tag", "--points-at", "main") == "v1.1.0"
    assert connected.forge is not None
    (page,) = connected.forge.pages.values()
    assert (page.tag, page.title, page.draft) == ("v1.1.0", "v1.1.0", False)
    assert {"SHA256SUMS", "cart-1.1.0.tar.gz.manifest.json", "acme-ui-1.1.0.tgz"} <= set(page.assets)
    assert page.notes.index("## @acme/core") < page.notes.index("## cart")
    assert not connected.run().changed
    connected.repository.commit("fix(core): once more", {"packages/core/index.js": "export const core = 3\n"})
    connected.run()
    withdrawn = withdraw(*connected.open(), "1.1.1", "loses orders")
    assert [str(each.component) for each in withdrawn] == ["cart@1.1.1", "@acme/core@1.1.1", "@acme/ui@1.1.1"]
    assert {connected.npm.pointers[name]["latest"] for name in ("@acme/core", "@acme/ui")} == {"1.1.0"}


def test_what_was_never_released_cannot_be_withdrawn(world: World) -> None:
    tools, settings = world.open()
    with pytest.raises(InputError, match="no tag"):
        withdraw(tools, settings, "cart@9.9.9", "x")
    with pytest.raises(InputError, match="which component"):
        withdraw(tools, settings, "1.0.0", "x")


def test_a_second_release_waits_for_the_first_and_gives_up_when_its_patience_ends(world: World) -> None:
    with alone(world.open()[0]), pytest.raises(BusyError):
        release(world.open, world.root / "work", wait_seconds=12)
    assert world.clock.now() >= 1_700_000_012
    assert world.run().changed


def test_nothing_is_published_when_a_scan_fails(world: World) -> None:
    with pytest.raises(SwitchoverError, match="stops at: scan"):
        world.run(scanner=Stage(Failed("scan", "a key in main.py")))
    state = world.state()
    assert set(state["releases"].values()) == {()}
    assert "1.1.0" not in state["tags"]
    assert world.run().changed


@pytest.mark.parametrize(
    ("message", "version"), [("chore: take the key away", "1.1.0"), ("fix: take the key away", "1.1.1")]
)
def test_what_a_scan_found_is_repaired_by_a_commit_of_any_kind(world: World, message: str, version: str) -> None:
    with pytest.raises(SwitchoverError, match="commit what changed and run again"):
        world.run(scanner=Stage(Failed("scan", "a key in main.py")))
    world.repository.commit(message, {"services/cart/main.py": "print('no key')\n"})
    world.run()
    store = world.open()[0].store
    released = store.find("cart", version)
    assert released is not None
    with tarfile.open(store.fetch(released.artifact.digest)) as tar:
        main = tar.extractfile("main.py")
        assert main is not None
        assert main.read() == b"print('no key')\n"
    assert not world.run().changed


def test_a_failure_after_bytes_were_stored_asks_for_a_new_version(world: World, tmp_path: Path) -> None:
    killed = find_moment(world, tmp_path, has_stored)
    killed.repository.commit("chore: take the key away", {"services/cart/main.py": "print('no key')\n"})
    with pytest.raises(SwitchoverError, match="changeset"):
        killed.run(scanner=Stage(Failed("scan", "a key in main.py")))
    killed.repository.commit("fix: say so", {"services/cart/main.py": "print('no key!')\n"})
    killed.run()
    released = killed.open()[0].store.find("cart", "1.1.1")
    assert released is not None
    assert released.source_commit == killed.repository.git("rev-parse", "HEAD")


def test_without_npm_packages_are_skipped_and_get_no_tag_until_it_is_there(world: World) -> None:
    report = world.run(packer=NoPacker())
    outcomes = {each.component.name: each.outcomes for each in report.components}
    assert outcomes["@acme/ui"][0] == Skipped("build", "no npm on the PATH")
    assert "@acme/ui@1.0.1" not in world.repository.git("tag")
    assert not world.run(packer=NoPacker()).changed
    later = world.run()
    assert sorted(str(each.component) for each in later.components) == COMPONENTS[:2]
    assert "@acme/ui@1.0.1" in world.repository.git("tag")


def test_without_npm_a_release_to_a_registry_of_packages_fails(connected: World) -> None:
    with pytest.raises(MissingProgramError):
        connected.run(packer=NoPacker())
    assert connected.npm.effects == []


def test_the_repositorys_own_tests_stop_a_release_before_anything_is_built(world: World) -> None:
    toml = (world.repository.root / "switchover.toml").read_text(encoding="utf-8")
    words = ", ".join(f'"{word}"' for word in ("{python}", "-c", "print('one test failed'); raise SystemExit(3)"))
    world.repository.commit("chore: test", {"switchover.toml": f"{toml}\n[release]\ntest = [{words}]\n"})
    with pytest.raises(SwitchoverError, match="one test failed"):
        world.run()
    assert set(world.state()["releases"].values()) == {()}
    passing = words.replace("3", "0")
    world.repository.commit("chore: mend", {"switchover.toml": f"{toml}\n[release]\ntest = [{passing}]\n"})
    assert isinstance(world.run().tested, Done)


def test_uncommitted_work_is_refused_before_anything_happens(world: World) -> None:
    world.repository.write("services/cart/main.py", "changed")
    before = world.state()
    with pytest.raises(InputError, match=r"services/cart/main\.py"):
        world.run()
    assert world.state() == before


def other_machine(connected: World, name: str = "elsewhere") -> Repository:
    """Another checkout of the shared repository."""
    return clone(connected.shared, connected.root / name)


def test_what_is_half_public_is_finished_before_new_work_moves_its_version(connected: World, tmp_path: Path) -> None:
    killed = find_moment(connected, tmp_path, lambda world: "@acme/core" in world.npm.versions)
    began = killed.shared.git("rev-parse", "main")
    killed.repository.commit("feat(core): more", {"packages/core/index.js": "export const core = 7\n"})
    report = killed.run()
    assert killed.shared.git("rev-parse", "@acme/core@1.0.1^{}") == began
    assert sorted(killed.npm.versions["@acme/core"]) == ["1.0.1", "1.1.0"]
    assert killed.npm.pointers["@acme/core"]["latest"] == "1.1.0"
    assert killed.shared.git("for-each-ref", "refs/switchover") == ""
    assert killed.repository.git("for-each-ref", "refs/switchover") == ""
    assert {str(each.component) for each in report.components} >= {"@acme/core@1.0.1", "@acme/core@1.1.0"}
    assert not killed.run().changed


def test_what_a_scan_refuses_leaves_the_shared_branch_as_it_was(connected: World) -> None:
    before = connected.shared.git("rev-parse", "main")
    with pytest.raises(SwitchoverError, match="stops at: scan"):
        connected.run(scanner=Stage(Failed("scan", "a key in main.py")))
    assert connected.shared.git("rev-parse", "main") == before
    assert connected.shared.git("for-each-ref", "refs/switchover") == ""
    elsewhere = other_machine(connected)
    elsewhere.commit("fix: take the key away", {"services/cart/main.py": "print('no key')\n"})
    elsewhere.git("push", "--quiet", "origin", "main")
    report = connected.run()
    assert "cart@1.1.0" in {str(each.component) for each in report.components}
    assert connected.shared.git("rev-parse", "main") == report.commit


def test_a_push_of_somebody_else_in_between_costs_another_run_and_nothing_more(connected: World) -> None:
    elsewhere = other_machine(connected)

    class Overtaken:
        def __init__(self, remote: Any) -> None:
            self._remote = remote

        def __getattr__(self, name: str) -> Any:
            if name == "push_branch":
                elsewhere.commit("docs: words", {"words.md": "words\n"})
                elsewhere.git("push", "--quiet", "origin", "main")
            return getattr(self._remote, name)

    with pytest.raises(BusyError, match="cannot be pushed"):
        connected.run(remote=Overtaken(GitRemote(connected.repository.root, "origin")))
    assert connected.npm.effects == []
    report = connected.run()
    assert sorted(str(each.component) for each in report.components) == COMPONENTS
    assert (connected.repository.root / "words.md").is_file()


def test_a_configuration_that_comes_with_the_newest_commits_counts(connected: World) -> None:
    elsewhere = other_machine(connected)
    toml = (elsewhere.root / "switchover.toml").read_text(encoding="utf-8")
    service = '[services.web]\npath = "services/web"\ncommand = ["{python}", "main.py"]\n'
    files: dict[str, Any] = {
        "switchover.toml": f"{toml}\n{service}",
        "services/web/package.json": {"name": "web", "version": "0.1.0"},
        "services/web/main.py": "print('web')\n",
    }
    elsewhere.commit("feat(web): begin", files)
    elsewhere.git("push", "--quiet", "origin", "main")
    report = connected.run()
    assert {each.component.name: each.component.kind for each in report.components}["web"] is ComponentKind.SERVICE
    assert "web" not in connected.npm.versions


def test_bytes_that_were_never_public_give_way_to_what_another_machine_released(
    connected: World, tmp_path: Path
) -> None:
    killed = find_moment(connected, tmp_path, has_stored)
    assert killed.open()[0].store.find("cart", "1.1.0") is None
    other = World(killed.root / "machine", connected=True, npm=killed.npm, forge=killed.forge)
    repository = clone(killed.shared, other.repository.root)
    killed.root.joinpath("machine", "shared.git").symlink_to(killed.shared.root)
    repository.commit("docs: words", {"services/cart/main.py": "print('other')\n"})
    assert other.run().changed
    killed.run()
    released = killed.open()[0].store.find("cart", "1.1.0")
    theirs = other.open()[0].store.find("cart", "1.1.0")
    assert theirs is not None
    assert released in (None, theirs)


def test_a_shallow_clone_without_tags_releases_nothing_a_second_time(connected: World) -> None:
    connected.run()
    connected.repository.commit("docs: say", {".changeset/one.md": '---\n"cart": patch\n---\n\nOne more.\n'})
    connected.repository.git("push", "--quiet", "origin", "main")
    shutil.rmtree(connected.repository.root)
    clone(connected.shared, connected.repository.root, "--depth=1", "--no-tags")
    effects = list(connected.npm.effects)
    report = connected.run()
    assert [str(each.component) for each in report.components] == ["cart@1.1.1"]
    assert connected.npm.effects == effects


def test_a_version_that_was_released_from_another_branch_is_refused_before_anything_moves(connected: World) -> None:
    began = connected.repository.git("rev-parse", "main")
    connected.run()
    connected.repository.git("switch", "--quiet", "--create", "old", began)
    connected.repository.git("push", "--quiet", "origin", "old")
    before = connected.state()
    with pytest.raises(InputError, match="was released before"):
        connected.run()
    assert connected.state() == before


def test_only_the_branches_that_are_named_are_released_from(connected: World) -> None:
    toml = (connected.repository.root / "switchover.toml").read_text(encoding="utf-8")
    settings = '[release]\nbranches = ["release/*"]\n'
    connected.repository.commit("chore: branches", {"switchover.toml": f"{toml}\n{settings}"})
    with pytest.raises(InputError, match="is not released from"):
        connected.run()
    connected.repository.git("switch", "--quiet", "--create", "release/1")
    connected.repository.git("push", "--quiet", "origin", "release/1")
    assert connected.run().changed


def test_a_page_that_another_machine_makes_has_every_file(connected: World, tmp_path: Path) -> None:
    def is_tagged(world: World) -> bool:
        return "@acme/ui@1.0.1" in world.shared.git("tag") and world.forge is not None and not world.forge.pages

    killed = find_moment(connected, tmp_path, is_tagged)
    shutil.rmtree(killed.repository.root)
    clone(killed.shared, killed.repository.root)
    killed.run()
    assert killed.forge is not None
    pages = {page.tag: page for page in killed.forge.pages.values()}
    assert {"acme-ui-1.0.1.tgz", "acme-ui-1.0.1.tgz.sigstore.json", "acme-ui-1.0.1.tgz.cdx.json"} <= set(
        pages["@acme/ui@1.0.1"].assets
    )
    assert b"acme-ui-1.0.1.tgz" in (pages["@acme/ui@1.0.1"].assets["SHA256SUMS"] or b"")


def test_archives_of_one_name_are_not_mistaken_for_each_other(connected: World) -> None:
    files: dict[str, Any] = {
        "packages/plain/package.json": {"name": "acme-ui", "version": "1.0.1", "files": ["index.js"]},
        "packages/plain/index.js": "export const plain = 1\n",
    }
    connected.repository.commit("feat(plain): begin", files)
    connected.run()
    digests = [connected.npm.versions[name]["1.0.1"].digest for name in ("@acme/ui", "acme-ui")]
    assert len(set(digests)) == 2


def test_two_services_of_one_package_are_both_released(world: World) -> None:
    toml = (world.repository.root / "switchover.toml").read_text(encoding="utf-8")
    service = '[services.worker]\npath = "services/cart"\npackage = "cart"\ncommand = ["{python}", "main.py"]\n'
    world.repository.commit("feat(cart): a worker", {"switchover.toml": f"{toml}\n{service}"})
    report = world.run()
    assert {str(each.component) for each in report.components} >= {"cart@1.1.0", "worker@1.1.0"}
    assert not world.run().changed


def test_a_service_called_as_a_package_is_refused(world: World) -> None:
    toml = (world.repository.root / "switchover.toml").read_text(encoding="utf-8")
    service = '[services.plain]\npath = "services/cart"\npackage = "cart"\ncommand = ["{python}", "main.py"]\n'
    files: dict[str, Any] = {
        "switchover.toml": f"{toml}\n{service}",
        "packages/plain/package.json": {"name": "plain", "version": "1.0.0"},
    }
    world.repository.commit("feat: plain", files)
    with pytest.raises(InputError, match="are called plain"):
        world.run()


def test_where_tags_cannot_be_moved_that_is_left_to_a_person(connected: World) -> None:
    class Trusted(InMemoryDestination):
        @property
        def moves_pointers(self) -> bool:
            return False

    connected.npm = Trusted()
    report = connected.run()
    pointed = [each.outcomes[-1] for each in report.components if each.component.kind is ComponentKind.NPM]
    assert all(isinstance(each, Skipped) and "latest → 1.0.1" in each.reason for each in pointed)
    assert not connected.run().changed


def test_a_tag_is_one_unit_where_it_stands_for_several_components(connected: World, tmp_path: Path) -> None:
    repository = connected.repository
    toml = (repository.root / "switchover.toml").read_text(encoding="utf-8")
    repository.commit("chore: one version", {"switchover.toml": f"{toml}\n[release]\nsingle_version = true\n"})
    repository.git("tag", "--annotate", "--message", "all", "v1.0.0", "@acme/core@1.0.0^{}")
    repository.git("push", "--quiet", "origin", "main", "v1.0.0")
    killed = find_moment(connected, tmp_path, lambda world: "@acme/core" in world.npm.versions)
    killed.repository.commit("feat(core): more", {"packages/core/index.js": "export const core = 7\n"})
    killed.run()
    assert killed.forge is not None
    pages = {page.tag: page for page in killed.forge.pages.values()}
    for tag in ("v1.1.0", "v1.2.0"):
        version = tag.removeprefix("v")
        wanted = {f"acme-core-{version}.tgz", f"acme-ui-{version}.tgz", f"cart-{version}.tar.gz"}
        assert wanted <= set(pages[tag].assets)
    assert killed.open()[0].store.find("cart", "1.1.0") is not None
    assert killed.forge.latest == "v1.2.0"
    assert not killed.run().changed


def test_a_public_version_that_the_manifests_have_left_behind_is_finished(connected: World, tmp_path: Path) -> None:
    killed = find_moment(connected, tmp_path, lambda world: "@acme/core" in world.npm.versions)
    began = killed.shared.git("rev-parse", "main")
    elsewhere = other_machine(killed)
    manifest = (elsewhere.root / "packages/core/package.json").read_text(encoding="utf-8")
    files: dict[str, Any] = {"packages/core/package.json": manifest.replace("1.0.1", "1.2.0")}
    elsewhere.commit("chore: another version", files)
    elsewhere.git("push", "--quiet", "origin", "main")
    report = killed.run()
    assert killed.shared.git("rev-parse", "@acme/core@1.0.1^{}") == began
    assert killed.shared.git("rev-parse", "@acme/core@1.2.0^{}") == killed.shared.git("rev-parse", "main")
    assert killed.shared.git("for-each-ref", "refs/switchover") == ""
    names = [str(each.component) for each in report.components]
    assert len(names) == len(set(names))
    assert killed.npm.pointers["@acme/core"]["latest"] == "1.2.0"
