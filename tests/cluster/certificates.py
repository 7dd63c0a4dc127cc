"""The keys and certificates of a cluster that lives for an hour, and the kubeconfig files made of them."""

import base64
import datetime as dt
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.cluster.addresses import API_URL

_VALID = dt.timedelta(days=7)
_CLOCK_SKEW = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """What signs: every certificate of the cluster, servers' and clients', comes from one authority."""

    folder: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pair(self) -> Pair:
        """Its own certificate and key."""
        return Pair(self.folder / "ca.crt", self.folder / "ca.key")

    def server(self, name: str, hosts: Sequence[str]) -> Pair:
        """A certificate for a server that is reached under these names and addresses."""
        return self._issue(name, _subject(name), ExtendedKeyUsageOID.SERVER_AUTH, hosts)

    def client(self, name: str, user: str, groups: Sequence[str] = (), *, valid: dt.timedelta = _VALID) -> Pair:
        """A certificate with which Kubernetes knows its bearer as this user in these groups."""
        return self._issue(name, _subject(user, groups), ExtendedKeyUsageOID.CLIENT_AUTH, (), valid)

    def kubeconfig(self, name: str, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig file (JSON is YAML) with a client certificate of this user."""
        pair = self.client(name, user, groups)
        path = self.folder / f"{name}.kubeconfig"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "switchover",
                    "cluster": {"server": API_URL, **_data("certificate-authority", self.pair.certificate)},
                }
            ],
            "users": [
                {
                    "name": user,
                    "user": {**_data("client-certificate", pair.certificate), **_data("client-key", pair.key)},
                }
            ],
            "contexts": [{"name": "switchover", "context": {"cluster": "switchover", "user": user}}],
            "current-context": "switchover",
        }
        path.write_text(json.dumps(content, indent=1))
        path.chmod(0o600)
        return path

    def _issue(
        self,
        name: str,
        subject: x509.Name,
        usage: x509.ObjectIdentifier,
        hosts: Sequence[str],
        valid: dt.timedelta = _VALID,
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(subject, self.certificate.subject, key, valid)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_host(one) for one in hosts]), critical=False)
        return _write(self.folder, name, builder.sign(self.key, hashes.SHA256()), key)


def authority(folder: Path) -> Authority:
    """A new authority, written to `ca.crt` and `ca.key` in this folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject("switchover test cluster")
    certificate = (
        _builder(subject, subject, key, _VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(folder, "ca", certificate, key)
    return Authority(folder, certificate, key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, valid: dt.timedelta
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + valid)
    )


def _write(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pair.key.touch(mode=0o600)
    pair.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pair


def _subject(name: str, groups: Sequence[str] = ()) -> x509.Name:
    parts = [(NameOID.COMMON_NAME, name), *((NameOID.ORGANIZATION_NAME, group) for group in groups)]
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _data(field: str, path: Path) -> dict[str, str]:
    return {f"{field}-data": base64.b64encode(path.read_bytes()).decode()}
