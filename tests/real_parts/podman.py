"""A real Podman with nothing installed: Debian's packages unpacked into the cache, its service on a socket of ours.

Everything that Podman keeps or reads is in a folder of the service's own, and so is the network of its containers:
a subnet and a bridge that nothing else uses. That takes root.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import DockerException

from switchover.adapters.waiting import wait_until
from switchover.errors import MissingProgramError
from tests.cluster import debian
from tests.cluster.cache import usual_root

PACKAGES = (
    "podman",
    "conmon",
    "runc",
    "netavark",
    "iptables",
    "golang-github-containers-common",
    "golang-github-containers-image",
    "libassuan0",
    "libdevmapper1.02.1",
    "libglib2.0-0",
    "libgpgme11",
    "libip4tc2",
    "libip6tc2",
    "libmnl0",
    "libnetfilter-conntrack3",
    "libnfnetlink0",
    "libnftnl11",
    "libseccomp2",
    "libsemanage2",
    "libsubid4",
    "libxtables12",
)
# runc also where control groups are in hybrid mode; the limits also without CAP_SYS_RESOURCE.
ENGINE = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
{containers}
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{home}/tmp"
{engine}
"""
UNPACKED_CONTAINERS = """
seccomp_profile = "{programs}/usr/share/containers/seccomp.json"
[network]
network_backend = "netavark"
network_config_dir = "{home}/networks"
"""
UNPACKED_ENGINE = """
helper_binaries_dir = ["{programs}/usr/lib/podman"]
conmon_path = ["{home}/bin/conmon"]
[engine.runtimes]
runc = ["{programs}/usr/sbin/runc"]
"""
STORAGE = """
[storage]
driver = "vfs"
runroot = "{home}/runroot"
graphroot = "{home}/graph"
"""
_SUBNETS = tuple(ipaddress.IPv4Network("10.231.0.0/16").subnets(new_prefix=24))
_START_SECONDS = 15.0
_END_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Podman:
    """A service that runs, and the environment in which the program talks to its storage."""

    address: str
    program: str
    environ: Mapping[str, str]

    def __call__(self, *words: str) -> str:
        """Run a command of podman's and return what it printed."""
        done = subprocess.run((self.program, *words), env=self.environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def static_busybox() -> Path:
    """A busybox that needs no library: the system's, else Debian's. Raises `MissingProgramError` where none is."""
    found = shutil.which("busybox")
    if found is not None and b"ld-linux" not in Path(found).read_bytes()[:4096]:
        return Path(found)
    return debian.program(debian.unpacked("busybox", ("busybox-static",)), "busybox")


@contextlib.contextmanager
def serving() -> Iterator[Podman]:
    """The service of the PATH's podman, else of Debian's. Raises `MissingProgramError` where neither can run."""
    # pytest's folders have paths too long for sockets, podman's own among them.
    home = Path(tempfile.mkdtemp(prefix="swp-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        found = shutil.which("podman")
        environ = _prepare(home) if found else _prepare_unpacked(home, stack.enter_context(_subnet()))
        podman = Podman(f"unix://{home}/s", found or str(shutil.which("podman", path=environ["PATH"])), environ)
        log = stack.enter_context((home / "log").open("wb"))
        command = (podman.program, "system", "service", "--time", "0", podman.address)
        service = subprocess.Popen(command, env=environ, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        stack.callback(_end, service, podman)
        wait_until(lambda: service.poll() is not None or _answers(podman.address), _START_SECONDS, 0.1)
        if not _answers(podman.address):
            raise MissingProgramError(
                "podman does not start",
                expected="a service that answers on its socket",
                found=(home / "log").read_text()[-300:] or "silence",
                next_step="set DOCKER_HOST to an engine that runs",
            )
        yield podman


def _prepare(home: Path, containers: str = "", engine: str = "") -> dict[str, str]:
    """The files and the environment that every podman of the tests has."""
    environ = dict(os.environ)
    settings = ENGINE.format(home=home, containers=containers, engine=engine)
    for name, text in (("CONTAINERS_CONF", settings), ("CONTAINERS_STORAGE_CONF", STORAGE.format(home=home))):
        (home / name).write_text(text)
        environ[name] = str(home / name)
    return environ


def _prepare_unpacked(home: Path, subnet: ipaddress.IPv4Network) -> dict[str, str]:
    programs = debian.unpacked("podman", PACKAGES)
    places = {"home": home, "programs": programs}
    environ = _prepare(home, UNPACKED_CONTAINERS.format(**places), UNPACKED_ENGINE.format(**places))
    policy = home / ".config" / "containers" / "policy.json"
    policy.parent.mkdir(parents=True)
    policy.write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
    (home / "registries.conf").write_text("")
    (home / "networks").mkdir()
    (home / "networks" / "podman.json").write_text(json.dumps(_describe_network(subnet)))
    found = debian.environment(programs)
    environ |= {
        "HOME": str(home),
        "CONTAINERS_REGISTRIES_CONF": str(home / "registries.conf"),
        "LD_LIBRARY_PATH": found["LD_LIBRARY_PATH"],
        "XTABLES_LIBDIR": str(next(programs.glob("usr/lib/*/xtables"))),
        "PATH": os.pathsep.join((str(home / "bin"), found["PATH"])),
    }
    _write_programs(home / "bin", programs, {name: environ[name] for name in ("LD_LIBRARY_PATH", "XTABLES_LIBDIR")})
    return environ


def _write_programs(folder: Path, programs: Path, libraries: Mapping[str, str]) -> None:
    folder.mkdir()
    # Debian chooses between two iptables when it is installed; this is the one of the kernel's nf_tables.
    for name in ("iptables", "ip6tables"):
        (folder / name).symlink_to(debian.program(programs, "xtables-nft-multi"))
    # Podman gives conmon few of its variables, and conmon runs podman again when a container ends.
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in libraries.items())
    (folder / "conmon").write_text(f'#!/bin/sh\n{exports}exec {debian.program(programs, "conmon")} "$@"\n')
    (folder / "conmon").chmod(0o755)


def _describe_network(subnet: ipaddress.IPv4Network) -> dict[str, object]:
    """The network that containers are in which ask for none."""
    return {
        "name": "podman",
        "id": "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9",
        "driver": "bridge",
        "network_interface": f"swp{subnet.network_address.packed[2]}",
        "created": "2026-01-01T00:00:00Z",
        "subnets": [{"subnet": str(subnet), "gateway": str(subnet[1])}],
        "ipv6_enabled": False,
        "internal": False,
        "dns_enabled": False,
        "ipam_options": {"driver": "host-local"},
    }


@contextlib.contextmanager
def _subnet() -> Iterator[ipaddress.IPv4Network]:
    """A subnet that no route of this machine leads to and no other run of the tests holds."""
    if os.geteuid() != 0:
        raise MissingProgramError(
            "podman cannot be unpacked and run",
            expected="podman on the PATH, or root",
            found="neither",
            next_step="install podman, or set DOCKER_HOST to an engine that runs",
        )
    taken = _routes()
    usual_root().mkdir(parents=True, exist_ok=True)
    for subnet in _SUBNETS:
        if any(subnet.overlaps(one) for one in taken):
            continue
        with (usual_root() / f"podman-{subnet.network_address}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield subnet
            return
    raise MissingProgramError(
        "podman's containers cannot have a network",
        expected="a free subnet in 10.231.0.0/16",
        found=f"{len(taken)} routes",
        next_step="remove the bridges swp… that ended runs have left",
    )


def _routes() -> list[ipaddress.IPv4Network]:
    """The networks that the kernel has a route to, without that to everywhere."""
    lines = Path("/proc/net/route").read_text().splitlines()[1:]
    pairs = ((int(one.split()[1], 16), int(one.split()[7], 16)) for one in lines)
    texts = ((place.to_bytes(4, "little"), mask.to_bytes(4, "little")) for place, mask in pairs if mask)
    return [ipaddress.IPv4Network((place, int.from_bytes(mask).bit_count())) for place, mask in texts]


def _answers(address: str) -> bool:
    try:
        with contextlib.closing(docker.DockerClient(base_url=address, timeout=5)) as client:
            return bool(client.ping())
    except (DockerException, OSError):
        return False


def _end(service: subprocess.Popen[bytes], podman: Podman) -> None:
    service.terminate()
    try:
        service.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()
    # Containers outlive the service that started them.
    subprocess.run(
        (podman.program, "rm", "--all", "--force", "--time", "0"),
        env=podman.environ,
        capture_output=True,
        check=False,
    )
