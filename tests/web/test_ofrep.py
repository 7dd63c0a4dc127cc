"""The OFREP service on a real port: asked by the protocol's own Python client and by raw HTTP of all sorts."""

from __future__ import annotations

import hashlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode

from switchover.errors import InputError, TargetError
from switchover.flags.client import Client
from switchover.flags.snapshot import Snapshot, parts_of
from switchover.web.ofrep import BODY_LIMIT_BYTES, FLAGS_PATH, ofrep_app
from switchover.web.ofrep_questions import DEEPEST
from switchover.web.serve import listen, serve
from switchover.web.tokens import read_tokens
from tests.flags.openfeature_cases import ALLOWED, DOCUMENT, FLAGS, STRANGER, TEMPLATE, flag
from tests.flags.test_openfeature import Place

TOKEN = "a-token-for-tests-only"  # noqa: S105 - it guards nothing
OTHER_TOKEN = "another-token-for-tests"  # noqa: S105 - as above
ORIGIN = "https://shop.example"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PATIENCE_SECONDS = 20


class Said(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(port: int, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Said:
    """`body` is sent as it is when it is bytes, as JSON otherwise. Without `headers` the token is stated."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        json_type = {"Content-Type": "application/json"} if sent is not None else {}
        connection.request(method, path, sent, {**json_type, **(BEARER if headers is None else headers)})
        response = connection.getresponse()
        return Said(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


class Service(NamedTuple):
    port: int
    place: Place
    flags: Client

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Said:
        return ask(self.port, method, path, body, headers)

    def one(self, key: str, context: Any = None, **more: Any) -> Said:
        return self.ask("POST", f"{FLAGS_PATH}/{key}", {"context": context or {}}, **more)

    def all(self, context: Any = None, **more: Any) -> Said:
        return self.ask("POST", FLAGS_PATH, {"context": context or {}}, **more)

    def send_raw(self, head: str, *pieces: bytes) -> bytes:
        """What comes back before the connection ends; a server that hangs up while we send is all right."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS) as connection:
            try:
                connection.sendall(head.replace("\n", "\r\n").encode())
                for piece in pieces:
                    connection.sendall(piece)
            except ConnectionError:
                pass
            return read_until_closed(connection)


def read_until_closed(connection: socket.socket) -> bytes:
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionError:
        pass
    return received


@contextmanager
def serving(place: Place, *tokens: str, origins: tuple[str, ...] = ()) -> Iterator[Service]:
    with Client(place) as flags, listen("127.0.0.1", 0) as listening:
        app = ofrep_app(flags, tokens, origins=origins)
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="critical", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Service(listening.getsockname()[1], place, flags)
        finally:
            server.should_exit = True
            thread.join(PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    place = Place(Snapshot(1, "tests", parts_of(DOCUMENT)))
    hashed = "sha256:" + hashlib.sha256(OTHER_TOKEN.encode()).hexdigest()
    with serving(place, TOKEN, hashed, origins=(ORIGIN,)) as service:
        yield service


@pytest.fixture
def remote(service: Service) -> Iterator[OpenFeatureClient]:
    api.set_provider_and_wait(OFREPProvider(f"http://127.0.0.1:{service.port}", headers_factory=lambda: BEARER))
    yield api.get_client()
    api.shutdown()


# The protocol's own client.


@pytest.mark.parametrize(
    ("kind", "key", "default", "value", "variant"),
    [
        ("boolean", "boolean-flag", False, True, "on"),
        ("boolean", "boolean-zero-flag", True, False, "zero"),
        ("string", "string-flag", "bye", "hi", "greeting"),
        ("string", "string-zero-flag", "fallback", "", "zero"),
        ("integer", "huge-integer-flag", 1, 2**53 - 1, "max-safe"),
        ("float", "float-flag", 0.1, 0.5, "half"),
        ("object", "object-flag", {}, TEMPLATE, "template"),
        ("object", "list-flag", [], [1, 2, 3], "three"),
    ],
)
def test_another_sdk_gets_the_value(
    remote: OpenFeatureClient, kind: str, key: str, default: object, value: object, variant: str
) -> None:
    details = getattr(remote, f"get_{kind}_details")(key, default)
    assert (details.value, details.variant, details.reason) == (value, variant, "STATIC")
    assert details.error_code is None


def test_another_sdk_sends_the_context(remote: OpenFeatureClient) -> None:
    for key, value in ((ALLOWED, "hit"), (STRANGER, "miss")):
        assert remote.get_string_value("targeting-key-flag", "fallback", EvaluationContext(key)) == value
    attributes = EvaluationContext(attributes={"customer": False})
    assert remote.get_string_value("context-aware", "EXTERNAL", attributes) == "INTERNAL"


def test_another_sdk_keeps_its_default_where_the_flag_is_off_or_unknown_or_broken(remote: OpenFeatureClient) -> None:
    disabled = remote.get_boolean_details("disabled-boolean-flag", default_value=False)
    assert (disabled.value, disabled.reason, disabled.error_code) == (False, "DISABLED", None)
    unknown = remote.get_boolean_details("missing-flag", default_value=True)
    assert (unknown.value, unknown.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)
    broken = remote.get_boolean_details("broken-flag", default_value=True)
    assert broken.value is True
    assert broken.error_code is not None


def test_another_sdk_gets_the_value_of_a_failed_prerequisite(remote: OpenFeatureClient) -> None:
    details = remote.get_boolean_details("needs-boolean-flag", default_value=True)
    assert (details.value, details.error_code) == (False, None)
    assert details.flag_metadata == {"switchover.reason": "PREREQUISITE_FAILED"}


# What is said, by the protocol's letter.


def test_an_answer_has_key_value_variant_reason_and_metadata(service: Service) -> None:
    said = service.one("metadata-flag")
    assert (said.status, said.headers["content-type"]) == (200, "application/json")
    metadata = {"string": "1.0.2", "integer": 2, "float": 0.1, "boolean": True}
    assert said.json() == {
        "key": "metadata-flag",
        "value": True,
        "variant": "on",
        "reason": "STATIC",
        "metadata": metadata,
    }


def test_an_unknown_flag_is_404_with_its_key(service: Service) -> None:
    for key in ("missing-flag", "", "a/b", "%00", "%F0%9F%92%A5", "x" * 2000):
        said = service.one(key)
        assert (said.status, said.json()["errorCode"]) == (404, "FLAG_NOT_FOUND")


def test_a_broken_flag_is_400_and_says_nothing_of_its_rule(service: Service) -> None:
    said = service.one("broken-flag")
    assert said.status == 400
    assert set(said.json()) == {"key", "errorCode", "errorDetails"}
    assert b"nowhere" not in said.body


def test_the_operators_metadata_stay_inside(service: Service) -> None:
    assert b"team a" not in service.one("needs-boolean-flag").body
    assert b"team a" not in service.all().body


def test_all_flags_come_at_once(service: Service) -> None:
    said = service.all({"targetingKey": ALLOWED})
    found = {each["key"]: each for each in said.json()["flags"]}
    assert set(found) == set(FLAGS)
    assert found["targeting-key-flag"]["value"] == "hit"
    assert found["object-flag"]["value"] == TEMPLATE
    assert "value" not in found["disabled-boolean-flag"]
    assert found["broken-flag"]["errorCode"]
    assert all(("errorCode" in each) != ("reason" in each) for each in found.values())


def test_an_unchanged_answer_is_304_without_a_body(service: Service) -> None:
    first = service.all({"targetingKey": ALLOWED})
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = service.all({"targetingKey": ALLOWED}, headers={**BEARER, "If-None-Match": known})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)


def test_another_context_or_tag_gets_the_flags_again(service: Service) -> None:
    tag = service.all({"targetingKey": ALLOWED}).headers["etag"]
    assert service.all({"targetingKey": STRANGER}, headers={**BEARER, "If-None-Match": tag}).status == 200
    assert service.all({"targetingKey": ALLOWED}, headers={**BEARER, "If-None-Match": '"other"'}).status == 200


def test_a_change_gives_another_tag() -> None:
    snapshot = Snapshot(1, "tests", parts_of(DOCUMENT))
    with serving(Place(snapshot), TOKEN) as service:
        tag = service.all().headers["etag"]
        edits: dict[str, Any] = {"flags/changing-flag": flag({"foo": "foo", "bar": "bar"}, "bar")}
        service.place.say().apply(snapshot.after(2, edits), edits)
        said = service.all(headers={**BEARER, "If-None-Match": tag})
        assert said.status == 200
        assert said.headers["etag"] != tag


# Who may ask.


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer  {TOKEN}"},
        {"X-API-Key": TOKEN},
        {"Authorization": f"Bearer {OTHER_TOKEN}"},
    ],
)
def test_a_known_token_is_let_in(service: Service, headers: dict[str, str]) -> None:
    assert service.one("boolean-flag", headers=headers).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong-wrong-wrong-wrong"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
        {"Authorization": ""},
        {"X-API-Key": ""},
        {"X-API-Key": "\xff" * 20},
        {"Authorization": "Bearer sha256:" + hashlib.sha256(OTHER_TOKEN.encode()).hexdigest()},
        {"Cookie": f"token={TOKEN}"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{FLAGS_PATH}/boolean-flag"),
        ("POST", FLAGS_PATH),
        ("POST", f"{FLAGS_PATH}/missing-flag"),
        ("GET", FLAGS_PATH),
        ("GET", "/nowhere"),
        ("HEAD", "/"),
        ("OPTIONS", FLAGS_PATH),
    ],
)
def test_nobody_else_learns_anything(service: Service, headers: dict[str, str], method: str, path: str) -> None:
    said = service.ask(method, path, {"context": {}}, headers=headers)
    assert (said.status, said.headers["www-authenticate"]) == (401, "Bearer")
    assert said.body in {b"", b'{"errorDetails":"a known token is needed"}'}


def test_without_tokens_everybody_may_ask() -> None:
    with serving(Place(Snapshot(1, "tests", parts_of(DOCUMENT)))) as service:
        assert service.one("boolean-flag", headers={}).json()["value"] is True


def test_tokens_come_from_the_environment_and_a_file(tmp_path: Any) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"{TOKEN}\n\n{OTHER_TOKEN}\n", encoding="utf-8")
    assert read_tokens({}, path) == (TOKEN, OTHER_TOKEN)
    assert read_tokens({"SWITCHOVER_OFREP_TOKENS": f"{TOKEN}, {OTHER_TOKEN}"}) == (TOKEN, OTHER_TOKEN)
    assert read_tokens({}) == ()


def test_a_token_that_could_be_guessed_is_refused_and_not_shown(tmp_path: Any) -> None:
    digits = hashlib.sha256(OTHER_TOKEN.encode()).hexdigest()
    mistyped = (
        "sha256:abc",
        f"sha256:{digits[:-1]}",
        f"SHA256:{digits}0",
        f"sha256:{digits[:-1]}g",
        f"Sha256: {digits}",
    )
    for token in ("hunter2", *mistyped, "pässwörtchen-aus-umlauten"):
        with pytest.raises(InputError) as caught:
            read_tokens({"SWITCHOVER_OFREP_TOKENS": token})
        assert token not in str(caught.value)
    with pytest.raises(InputError), Client(Place(None)) as flags:
        ofrep_app(flags, ["short"])
    with pytest.raises(InputError, match="no-such-file"):
        read_tokens({}, tmp_path / "no-such-file")


@pytest.mark.parametrize("prefix", ["sha256:", "SHA256:"])
@pytest.mark.parametrize("is_upper", [False, True])
def test_a_hash_in_either_case_lets_the_secret_in_and_not_itself(prefix: str, is_upper: bool) -> None:  # noqa: FBT001
    digits = hashlib.sha256(OTHER_TOKEN.encode()).hexdigest()
    hashed = prefix + (digits.upper() if is_upper else digits)
    with serving(Place(Snapshot(1, "tests", parts_of(DOCUMENT))), hashed) as service:
        assert service.one("boolean-flag", headers={"X-API-Key": OTHER_TOKEN}).status == 200
        assert service.one("boolean-flag", headers={"X-API-Key": hashed}).status == 401


# Pages of other sites.


def test_a_page_of_a_stated_origin_may_read_the_answer_and_its_tag(service: Service) -> None:
    wishes = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,if-none-match",
    }
    preflight = service.ask("OPTIONS", FLAGS_PATH, headers=wishes)
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (200, ORIGIN)
    said = service.all(headers={**BEARER, "Origin": ORIGIN})
    assert said.headers["access-control-allow-origin"] == ORIGIN
    assert "etag" in said.headers["access-control-expose-headers"].lower()
    assert "access-control-allow-credentials" not in said.headers


def test_no_other_page_may(service: Service) -> None:
    wishes = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    assert service.ask("OPTIONS", FLAGS_PATH, headers=wishes).status == 400
    said = service.all(headers={**BEARER, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in said.headers


# Bad input.


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "PARSE_ERROR"),
        (b"\xff\xfe{}", "PARSE_ERROR"),
        (b"[]", "PARSE_ERROR"),
        (b"null", "PARSE_ERROR"),
        (b'"text"', "PARSE_ERROR"),
        (b'{"context": {"a": NaN}}', "PARSE_ERROR"),
        (b'{"context": {"a": -Infinity}}', "PARSE_ERROR"),
        (b'{"context": {"a": ' + b"9" * 5000 + b"}}", "PARSE_ERROR"),
        (b'{"context": []}', "INVALID_CONTEXT"),
        (b'{"context": null}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": 7}}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": {"a": 1}}}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": true}}', "INVALID_CONTEXT"),
        (b'{"context": ' + b'{"a": ' * DEEPEST + b"1" + b"}" * DEEPEST + b"}", "PARSE_ERROR"),
        (b'{"context": ' + b"[" * 30_000, "PARSE_ERROR"),
        (b'{"context": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", "PARSE_ERROR"),
    ],
)
@pytest.mark.parametrize("path", [FLAGS_PATH, f"{FLAGS_PATH}/boolean-flag"])
def test_a_bad_body_is_400_with_its_code(service: Service, path: str, body: bytes, code: str) -> None:
    said = service.ask("POST", path, body)
    assert (said.status, said.json()["errorCode"]) == (400, code)


def test_bodies_just_within_the_limits_are_answered(service: Service) -> None:
    deep = b'{"context": ' + b'{"a": ' * (DEEPEST - 1) + b"1" + b"}" * (DEEPEST - 1) + b"}"
    padded = json.dumps({"context": {"a": ""}}).encode()
    large = json.dumps({"context": {"a": "x" * (BODY_LIMIT_BYTES - len(padded))}}).encode()
    assert len(large) == BODY_LIMIT_BYTES
    for body in (deep, large, b"", b"  ", b"{}", b'{"context": {"targetingKey": null}}', b'{"future": 1}'):
        assert service.ask("POST", f"{FLAGS_PATH}/boolean-flag", body).status == 200, body[:40]
    assert service.ask("POST", f"{FLAGS_PATH}/boolean-flag", large + b" ").status == 413


def test_a_body_is_refused_by_its_stated_length_before_it_is_sent(service: Service) -> None:
    head = f"POST {FLAGS_PATH} HTTP/1.1\nHost: x\nAuthorization: Bearer {TOKEN}\nContent-Length: 10000000000\n\n"
    received = service.send_raw(head)
    assert received.startswith(b"HTTP/1.1 413 ")


def test_an_endless_body_in_chunks_is_cut_off(service: Service) -> None:
    head = f"POST {FLAGS_PATH} HTTP/1.1\nHost: x\nAuthorization: Bearer {TOKEN}\nTransfer-Encoding: chunked\n\n"
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    received = service.send_raw(head, *[chunk] * 2000)
    # Where the client is still sending, the end of the connection may overtake the answer.
    assert received[:13] in {b"HTTP/1.1 413 ", b""}
    assert service.one("boolean-flag").status == 200


def test_a_body_a_little_too_large_in_chunks_is_413(service: Service) -> None:
    head = f"POST {FLAGS_PATH} HTTP/1.1\nHost: x\nAuthorization: Bearer {TOKEN}\nTransfer-Encoding: chunked\n\n"
    size = BODY_LIMIT_BYTES + 1
    received = service.send_raw(head, f"{size:x}\r\n".encode() + b" " * size + b"\r\n0\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 413 ")


def test_who_hangs_up_in_the_middle_disturbs_nobody(service: Service) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_SECONDS) as connection:
            head = (
                f"POST {FLAGS_PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 50\r\n\r\n"
            )
            connection.sendall(head.encode() + b'{"cont')
    assert service.one("boolean-flag").status == 200


def test_another_content_type_is_415(service: Service) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp"):
        said = service.ask("POST", FLAGS_PATH, b"{}", {**BEARER, "Content-Type": content_type})
        assert (said.status, said.json()["errorDetails"]) == (415, "the content type must be application/json")
    accepted = {**BEARER, "Content-Type": "Application/JSON; charset=utf-8"}
    assert service.ask("POST", FLAGS_PATH, b"{}", accepted).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", [FLAGS_PATH, f"{FLAGS_PATH}/boolean-flag"])
def test_another_method_is_405(service: Service, method: str, path: str) -> None:
    said = service.ask(method, path)
    assert (said.status, said.headers["allow"]) == (405, "POST")


def test_another_path_is_404(service: Service) -> None:
    for path in ("/", "/ofrep/v1/evaluate", "/ofrep/v2/evaluate/flags", "/ofrep/v1/evaluate/flagsx", "/../etc/passwd"):
        assert service.ask("POST", path, {}).status == 404


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
bodies = st.one_of(
    st.binary(max_size=300),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.builds(
        lambda key, attributes: json.dumps({"context": {**attributes, "targetingKey": key}}).encode(),
        json_values,
        st.dictionaries(st.sampled_from(["email", "customer", "a", "$flagd", ""]), json_values, max_size=4),
    ),
)


@settings(max_examples=150)
@given(body=bodies, key=st.sampled_from([*FLAGS, "missing-flag", None]), with_token=st.booleans())
def test_no_body_is_too_much_for_it(service: Service, body: bytes, key: str | None, with_token: bool) -> None:  # noqa: FBT001 - hypothesis passes it by name
    path = FLAGS_PATH if key is None else f"{FLAGS_PATH}/{key}"
    said = service.ask("POST", path, body, BEARER if with_token else {})
    if with_token:
        assert said.status in {200, 400, 404}
        assert isinstance(said.json(), dict)
    else:
        assert (said.status, said.json()) == (401, {"errorDetails": "a known token is needed"})


# How it is.


def test_health_says_state_version_and_age_to_everybody(service: Service) -> None:
    said = service.ask("GET", "/healthz", headers={})
    assert said.status == 200
    assert set(said.json()) == {"state", "version", "age_seconds", "flags"}
    assert (said.json()["state"], said.json()["version"], said.json()["flags"]) == ("READY", 1, len(FLAGS))
    assert service.ask("HEAD", "/healthz", headers={}).status == 200
    assert service.ask("POST", "/healthz", {}, headers={}).status == 405


def test_a_stale_set_is_served_and_said() -> None:
    with serving(Place(Snapshot(1, "tests", parts_of(DOCUMENT))), TOKEN) as service:
        service.place.say().lose("the place is silent")
        assert service.ask("GET", "/healthz").json()["state"] == "STALE"
        assert service.one("boolean-flag").json()["value"] is True


def test_without_a_set_it_is_unavailable() -> None:
    with serving(Place(None), TOKEN) as service:
        assert service.ask("GET", "/healthz").status == 503
        assert service.all().status == 503
        assert service.one("boolean-flag").status == 503


SERVE = """
import sys
from switchover.flags.client import Client
from switchover.flags.snapshot import Snapshot, parts_of
from switchover.web.serve import listen, serve
from tests.flags.openfeature_cases import DOCUMENT
from tests.flags.test_openfeature import Place
with Client(Place(Snapshot(1, "tests", parts_of(DOCUMENT)))) as flags:
    serve(flags, port=0, tokens=[sys.stdin.readline().strip()], announce=lambda url: print(url, flush=True))
print("ended", flush=True)
"""


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_serve_answers_on_the_loopback_until_it_is_told_to_end(told: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(TOKEN.encode() + b"\n")
        process.stdin.flush()
        address = process.stdout.readline().decode().strip()
        try:
            assert address.startswith("http://127.0.0.1:")
            port = int(address.rpartition(":")[2])
            assert ask(port, "POST", f"{FLAGS_PATH}/boolean-flag", {}).json()["value"] is True
            assert ask(port, "POST", f"{FLAGS_PATH}/boolean-flag", {}, headers={}).status == 401
        finally:
            process.send_signal(told)
        # What comes after it in the calling program still runs.
        assert process.stdout.read() == b"ended\n"
        assert process.wait(PATIENCE_SECONDS) == 0


def test_a_port_in_use_is_said_with_what_to_do() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        Client(Place(None)) as flags,
        pytest.raises(TargetError, match="in use"),
    ):
        serve(flags, port=taken.getsockname()[1], tokens=[TOKEN])
