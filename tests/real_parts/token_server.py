"""A token server for Debian's `docker-registry`: it gives users the rights that they have, for what they ask."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

_NAME = "tests"
_SECONDS = 300


@dataclass(slots=True)
class TokenServer:
    """`rights` are actions by "user:password". `asked` are the scopes that were asked for, in order."""

    rights: Mapping[str, frozenset[str]]
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    asked: list[str] = field(default_factory=list)
    address: str = ""
    broken: bool = False

    def auth(self, folder: Path) -> dict[str, Any]:
        """The section `auth` of a registry that believes this server."""
        bundle = folder / "token.crt"
        bundle.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        realm = f"http://{self.address}/token"
        return {"token": {"realm": realm, "service": _NAME, "issuer": _NAME, "rootcertbundle": str(bundle)}}

    def answer(self, path: str, authorization: str) -> tuple[int, bytes]:
        user = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        if self.broken:
            return 503, b"{}"
        if user and user not in self.rights:
            return 401, b"{}"
        scope = parse_qs(urlsplit(path).query).get("scope", [""])[0]
        self.asked.append(scope)
        kind, name, actions = scope.split(":")
        granted = sorted(self.rights.get(user, frozenset()) & set(actions.split(",")))
        return 200, json.dumps({"token": self._sign([{"type": kind, "name": name, "actions": granted}])}).encode()

    def _sign(self, access: list[dict[str, Any]]) -> str:
        der = base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()
        now = int(time.time())
        claims = {
            "iss": _NAME,
            "aud": _NAME,
            "sub": "",
            "iat": now,
            "nbf": now - _SECONDS,
            "exp": now + _SECONDS,
            "jti": str(len(self.asked)),
            "access": access,
        }
        signed = f"{_encode({'typ': 'JWT', 'alg': 'ES256', 'x5c': [der]})}.{_encode(claims)}"
        numbers = decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_base64(b''.join(number.to_bytes(32, 'big') for number in numbers))}"


@contextmanager
def token_server(rights: Mapping[str, frozenset[str]]) -> Iterator[TokenServer]:
    """A server on a free port of loopback."""
    key = ec.generate_private_key(ec.SECP256R1())
    held = TokenServer(rights, key, _certify(key))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = held.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _certify(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _encode(value: object) -> str:
    return _base64(json.dumps(value).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
