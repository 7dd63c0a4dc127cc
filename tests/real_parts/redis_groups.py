"""Redis with TLS, a primary with its Sentinels, and a Cluster: several real servers that know each other."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from switchover.errors import SwitchoverError
from tests.real_parts.redis_server import RedisServer, free_ports, redis_folder, wait_for

_SLOTS = 16384
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Certificates:
    """Paths of PEM files: an authority, and a certificate with its key that is good for server and client."""

    ca: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path, host: str = "127.0.0.1") -> Certificates:
    """An authority of our own and what it has signed."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority for tests")])
    root = _certificate(issuer, issuer, authority.public_key(), None).sign(authority, hashes.SHA256())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis")])
    leaf = _certificate(subject, issuer, own.public_key(), host).sign(authority, hashes.SHA256())
    made.ca.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    made.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


def _certificate(subject: x509.Name, issuer: x509.Name, key: Any, host: str | None) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
    )
    if host is None:
        return builder
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    return builder.add_extension(names, critical=False)


@contextlib.contextmanager
def tls_server(version: str, certificates: Certificates, *words: str) -> Iterator[RedisServer]:
    """A server whose port speaks TLS only, and asks clients for a certificate."""
    with redis_folder() as folder:
        for attempt in range(_ATTEMPTS):
            (port,) = free_ports(1)
            tls = (
                f"tls-port {port}",
                f"tls-ca-cert-file {certificates.ca}",
                f"tls-cert-file {certificates.certificate}",
                f"tls-key-file {certificates.key}",
            )
            server = RedisServer(version, folder, (*tls, *words), port=port, listens=False)
            try:
                server.start()
                break
            except SwitchoverError:
                server.kill()
                if attempt == _ATTEMPTS - 1:
                    raise
        try:
            yield server
        finally:
            server.kill()


@dataclass(slots=True)
class Watched:
    """A primary, its replica and the Sentinels that watch them under the name `flags`."""

    servers: tuple[RedisServer, RedisServer]
    sentinels: Sequence[RedisServer]

    def place(self, set_name: str = "shop", user: str = "") -> str:
        """The place of a set, by the Sentinels."""
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)
        return f"redis+sentinel://{user}{hosts}/flags?set={set_name}"

    def primary(self) -> RedisServer | None:
        """The one that all Sentinels name now."""
        named = set()
        for sentinel in self.sentinels:
            with sentinel.admin() as admin:
                named.add(int(admin.execute_command("SENTINEL", "get-master-addr-by-name", "flags")[1]))
        found = [server for server in self.servers if {server.port} == named]
        return found[0] if found else None


@contextlib.contextmanager
def watched_servers(version: str, *words: str) -> Iterator[Watched]:
    """All started, the replica in step, and each Sentinel aware of the others."""
    with contextlib.ExitStack() as stack:
        ports = free_ports(5)
        servers = [
            RedisServer(version, stack.enter_context(redis_folder()), [*words, *more], port=port)
            for port, more in zip(ports[:2], ([], [f"replicaof 127.0.0.1 {ports[0]}"]), strict=True)
        ]
        watch = [
            f"sentinel monitor flags 127.0.0.1 {ports[0]} 2",
            "sentinel down-after-milliseconds flags 500",
            "sentinel failover-timeout flags 2000",
        ]
        sentinels = [
            RedisServer(version, stack.enter_context(redis_folder()), watch, port=port, sentinel=True)
            for port in ports[2:]
        ]
        for server in (*servers, *sentinels):
            stack.callback(server.kill)
            server.start()
        group = Watched((servers[0], servers[1]), sentinels)
        wait_for(lambda: _in_step(group), within=60)
        yield group


def _in_step(group: Watched) -> bool:
    with group.servers[0].admin() as admin:
        replicas: Any = admin.info("replication")
    if replicas["connected_slaves"] != 1 or replicas["slave0"]["state"] != "online":
        return False
    for sentinel in group.sentinels:
        with sentinel.admin() as admin:
            known: Any = admin.sentinel_master("flags")
        if known["num-other-sentinels"] != len(group.sentinels) - 1 or known["num-slaves"] != 1:
            return False
    return True


@contextlib.contextmanager
def redis_cluster(version: str, *words: str) -> Iterator[list[RedisServer]]:
    """Three nodes without replicas, all slots served, each aware of the others."""
    with contextlib.ExitStack() as stack:
        # The bus of a node has a port of its own, 10,000 above unless it is named (which 6.2 cannot).
        nodes = [
            RedisServer(
                version,
                stack.enter_context(redis_folder()),
                ["cluster-enabled yes", "cluster-node-timeout 2000", "cluster-config-file nodes.conf", *words],
                port=port,
            )
            for port in _ports_with_bus(3)
        ]
        for node in nodes:
            stack.callback(node.kill)
            node.start()
        share = -(-_SLOTS // len(nodes))
        for number, node in enumerate(nodes):
            with node.admin() as admin:
                slots = range(number * share, min((number + 1) * share, _SLOTS))
                admin.execute_command("CLUSTER", "ADDSLOTS", *slots)
                admin.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
                admin.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        wait_for(lambda: all(_knows_all(node, len(nodes)) for node in nodes), within=60)
        yield nodes


def move_slot(nodes: Sequence[RedisServer], slot: int, source: RedisServer, target: RedisServer) -> None:
    """Move a slot with its keys, as an operator of a Cluster does."""
    with source.admin() as old, target.admin() as new:
        ids = {"old": old.execute_command("CLUSTER", "MYID"), "new": new.execute_command("CLUSTER", "MYID")}
        new.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids["old"])
        old.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids["new"])
        keys = old.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100)
        if keys:
            old.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
    for node in (target, *nodes):
        with node.admin() as admin:
            admin.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids["new"])


def _ports_with_bus(count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        found += [port for port in free_ports(count) if port < 55_000 and port not in found]
        found = found[:count]
    return found


def _knows_all(node: RedisServer, count: int) -> bool:
    try:
        with node.admin() as admin:
            said = admin.execute_command("CLUSTER", "INFO")
    except redis.RedisError:
        return False
    text = said.decode() if isinstance(said, bytes) else str(said)
    return "cluster_state:ok" in text.replace("'", "") and f"cluster_known_nodes:{count}" in text
