from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from switchover.adapters import docker_credentials
from switchover.adapters.cosign_signer import CosignSigner
from switchover.config_release import SignConfig
from switchover.decide.outcome import Done, Failed, Skipped
from tests.cluster.images import image_of, program_layer, push_image
from tests.real_parts.cosign import PASSWORD, KeyPair, find_cosign, make_key_pair
from tests.real_parts.docker_registry import PASSWORD as REGISTRY_PASSWORD
from tests.real_parts.docker_registry import USER as REGISTRY_USER
from tests.real_parts.docker_registry import docker_registry

KEY = "COSIGN_PRIVATE_KEY"
DIGEST = f"sha256:{'0' * 64}"
OPTIONAL, REQUIRED, KEYLESS = SignConfig(), SignConfig(required=True), SignConfig(keyless=True)
SBOM = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": []}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return make_key_pair(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture
def sbom(tmp_path: Path) -> Path:
    file = tmp_path / "cart.cdx.json"
    file.write_text(json.dumps(SBOM), encoding="utf-8")
    return file


def surroundings(home: Path, pair: KeyPair, **more: str) -> dict[str, str]:
    """The environment of a release with this key, and nothing of the machine's own but the PATH."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), KEY: pair.private, "COSIGN_PASSWORD": PASSWORD, **more}


def push(address: str, folder: Path, repository: str, auth: tuple[str, str] | None = None) -> str:
    """The reference by digest of a new image there."""
    (folder / "app").write_text(repository, encoding="utf-8")
    with httpx.Client(base_url=f"http://{address}", auth=auth) as client:
        digest = push_image(client, repository, "1.0.0", image_of(program_layer(folder / "app"), {}))
    return f"{address}/{repository}@{digest}"


def list_attached(reference: str) -> list[dict[str, Any]]:
    """What refers to the image, in the order in which it came."""
    name, _, digest = reference.partition("@")
    address, _, repository = name.partition("/")
    accepted = {"Accept": "application/vnd.oci.image.index.v1+json"}
    answer = httpx.get(f"http://{address}/v2/{repository}/manifests/{digest.replace(':', '-')}", headers=accepted)
    found: list[dict[str, Any]] = answer.json()["manifests"] if answer.status_code == httpx.codes.OK else []
    return found


def cosign(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    command = [find_cosign(), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


def recorder(folder: Path, script: str) -> str:
    """A program that keeps its arguments and variables, then does what the script says."""
    file = folder / "recorder"
    file.write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\nenv > {folder}/variables\n{script}\n', encoding="utf-8")
    file.chmod(0o755)
    return str(file)


@pytest.mark.parametrize(
    ("program", "environment", "missing"),
    [
        (None, {KEY: "k"}, "cosign is not on the PATH"),
        ("cosign", {}, "no key in COSIGN_PRIVATE_KEY"),
        ("cosign", {KEY: ""}, "no key in COSIGN_PRIVATE_KEY"),
    ],
)
def test_without_program_or_key_the_stage_is_skipped_and_fails_where_it_is_required(
    tmp_path: Path, program: str | None, environment: Mapping[str, str], missing: str
) -> None:
    signer = CosignSigner(program, environment, OPTIONAL)
    assert signer.sign_file(tmp_path / "a", tmp_path / "b") == Skipped("sign", missing)
    assert signer.sign_image(f"localhost:5000/shop@{DIGEST}", None) == Skipped("sign", missing)
    strict = CosignSigner(program, environment, REQUIRED)
    for outcome in (
        strict.sign_file(tmp_path / "a", tmp_path / "b"),
        strict.sign_image(f"localhost:5000/shop@{DIGEST}", None),
    ):
        assert isinstance(outcome, Failed)
        assert outcome.reason.startswith(f"{missing}, and release.sign.required is set; ")


def test_the_key_may_stand_in_another_variable(tmp_path: Path) -> None:
    signer = CosignSigner(recorder(tmp_path, "exit 1"), {"OURS": "k"}, SignConfig(key_variable="OURS"))
    assert isinstance(signer.sign_file(tmp_path / "a", tmp_path / "b"), Failed)
    assert "--key=env://OURS" in (tmp_path / "asked").read_text(encoding="utf-8")
    assert CosignSigner("cosign", {KEY: "k"}, SignConfig(key_variable="OURS")).sign_file(
        tmp_path / "a", tmp_path / "b"
    ) == Skipped("sign", "no key in OURS")


@pytest.mark.parametrize("name", ["false", "true", "no-such-program"])
def test_a_program_that_fails_or_leaves_no_signature_fails_the_stage(tmp_path: Path, name: str) -> None:
    signer = CosignSigner(shutil.which(name) or str(tmp_path / name), {KEY: "k"}, OPTIONAL)
    assert isinstance(signer.sign_file(tmp_path / "a", tmp_path / "b"), Failed)
    assert isinstance(signer.sign_image(f"localhost:5000/shop@{DIGEST}", None), Failed)


def test_what_was_signed_as_a_file_is_verified_by_the_key_and_by_no_other(tmp_path: Path, pair: KeyPair) -> None:
    file, bundle = tmp_path / "cart.tar.gz", tmp_path / "cart.tar.gz.sigstore.json"
    file.write_bytes(b"bytes")
    signer = CosignSigner(find_cosign(), surroundings(tmp_path, pair), OPTIONAL)
    assert signer.sign_file(file, bundle) == Done("sign", bundle.name)
    verify = ["verify-blob", "--insecure-ignore-tlog", f"--bundle={bundle}", str(file)]
    assert cosign(tmp_path, *verify, f"--key={pair.public}").returncode == 0
    other = make_key_pair(tmp_path / "others")
    assert cosign(tmp_path, *verify, f"--key={other.public}").returncode != 0
    file.write_bytes(b"other bytes")
    assert cosign(tmp_path, *verify, f"--key={pair.public}").returncode != 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"COSIGN_PASSWORD": "not this"}, "COSIGN_PASSWORD does not open the key in COSIGN_PRIVATE_KEY"),
        ({KEY: "nonsense"}, "COSIGN_PRIVATE_KEY holds no private key of cosign"),
    ],
)
def test_a_key_that_cannot_be_used_fails_the_stage_and_is_not_quoted(
    tmp_path: Path, pair: KeyPair, wrong: dict[str, str], said: str
) -> None:
    (tmp_path / "a").write_bytes(b"bytes")
    signer = CosignSigner(find_cosign(), surroundings(tmp_path, pair) | wrong, OPTIONAL)
    for outcome in (
        signer.sign_file(tmp_path / "a", tmp_path / "b"),
        signer.sign_image(f"127.0.0.1:1/shop@{DIGEST}", None),
    ):
        assert isinstance(outcome, Failed)
        assert said in outcome.reason
        assert "not this" not in outcome.reason
        assert "nonsense" not in outcome.reason


def test_an_image_is_signed_and_attested_once_in_its_registry(
    tmp_path: Path, pair: KeyPair, registry: str, sbom: Path
) -> None:
    reference = push(registry, tmp_path, "once")
    signer = CosignSigner(find_cosign(), surroundings(tmp_path, pair), REQUIRED)
    assert signer.sign_image(reference, sbom) == Done("sign", "signed, SBOM attested")
    attached = list_attached(reference)
    assert len(attached) == 2
    assert signer.sign_image(reference, sbom) == Skipped("sign", "already signed")
    assert list_attached(reference) == attached
    trust = ["--insecure-ignore-tlog=true", "--allow-http-registry", f"--key={pair.public}"]
    assert cosign(tmp_path, "verify", *trust, reference).returncode == 0
    attestation = cosign(tmp_path, "verify-attestation", "--type=cyclonedx", *trust, reference)
    assert attestation.returncode == 0
    # Nothing was looked for in the public network, and nothing kept.
    assert not (tmp_path / ".sigstore").exists()


def test_what_was_interrupted_is_finished_and_nothing_is_done_twice(
    tmp_path: Path, pair: KeyPair, registry: str, sbom: Path
) -> None:
    signer = CosignSigner(find_cosign(), surroundings(tmp_path, pair), REQUIRED)
    signed_only = push(registry, tmp_path, "signed")
    assert signer.sign_image(signed_only, None) == Done("sign", "signed")
    assert signer.sign_image(signed_only, None) == Skipped("sign", "already signed")
    assert signer.sign_image(signed_only, sbom) == Done("sign", "SBOM attested")
    attested_only = push(registry, tmp_path, "attested")
    attest = ["attest", "--yes", "--tlog-upload=false", "--use-signing-config=false", "--type=cyclonedx"]
    key = tmp_path / "cosign.key"
    key.write_text(pair.private, encoding="utf-8")
    done = subprocess.run(
        [find_cosign(), *attest, f"--predicate={sbom}", f"--key={key}", attested_only],
        env=surroundings(tmp_path, pair),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    # To cosign itself the attestation is as good as a signature.
    assert signer.sign_image(attested_only, sbom) == Done("sign", "signed")
    assert len(list_attached(attested_only)) == 2


def test_a_signature_of_somebody_else_is_not_ours(tmp_path: Path, pair: KeyPair, registry: str, sbom: Path) -> None:
    reference = push(registry, tmp_path, "others")
    other = make_key_pair(tmp_path / "others")
    theirs = CosignSigner(find_cosign(), surroundings(tmp_path, other), REQUIRED)
    assert theirs.sign_image(reference, sbom) == Done("sign", "signed, SBOM attested")
    ours = CosignSigner(find_cosign(), surroundings(tmp_path, pair), REQUIRED)
    assert ours.sign_image(reference, sbom) == Done("sign", "signed, SBOM attested")
    assert theirs.sign_image(reference, sbom) == ours.sign_image(reference, sbom) == Skipped("sign", "already signed")


def test_a_registry_that_is_not_there_or_has_no_such_image_fails_the_stage(
    tmp_path: Path, pair: KeyPair, registry: str
) -> None:
    signer = CosignSigner(find_cosign(), surroundings(tmp_path, pair), OPTIONAL)
    silent = signer.sign_image(f"127.0.0.1:1/shop@{DIGEST}", None)
    assert isinstance(silent, Failed)
    assert "could not say" in silent.reason
    assert "connection refused" in silent.reason
    missing = signer.sign_image(f"{registry}/nothing@{DIGEST}", None)
    assert isinstance(missing, Failed)
    assert "404 Not Found" in missing.reason


def test_credentials_of_the_environment_reach_the_registry_and_are_left_nowhere(
    tmp_path: Path, pair: KeyPair, sbom: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with docker_registry(tmp_path / "registry", passwords=True) as address:
        reference = push(address, tmp_path, "private", (REGISTRY_USER, REGISTRY_PASSWORD))
        without = CosignSigner(find_cosign(), surroundings(tmp_path, pair), REQUIRED).sign_image(reference, sbom)
        assert isinstance(without, Failed)
        assert "UNAUTHORIZED" in without.reason
        named = {docker_credentials.USER: REGISTRY_USER, docker_credentials.PASSWORD: REGISTRY_PASSWORD}
        signer = CosignSigner(find_cosign(), surroundings(tmp_path, pair, **named), REQUIRED)
        assert signer.sign_image(reference, sbom) == Done("sign", "signed, SBOM attested")
        (tmp_path / ".docker").mkdir()
        login = {"username": REGISTRY_USER, "password": REGISTRY_PASSWORD}
        (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": {address: login}}), encoding="utf-8")
        logged_in = CosignSigner(find_cosign(), surroundings(tmp_path, pair), REQUIRED)
        assert logged_in.sign_image(reference, sbom) == Skipped("sign", "already signed")


def test_the_folder_with_credentials_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    script = f'stat -c %a "$DOCKER_CONFIG" >> {tmp_path}/modes; cat "$DOCKER_CONFIG/config.json" >> {tmp_path}/configs'
    named = {docker_credentials.USER: "releaser", docker_credentials.PASSWORD: "a secret word", KEY: "k"}
    signer = CosignSigner(recorder(tmp_path, script), {**named, "PATH": os.environ["PATH"]}, OPTIONAL)
    signer.sign_image(f"docker.io/acme/shop@{DIGEST}", None)
    assert set((tmp_path / "modes").read_text(encoding="utf-8").split()) == {"700"}
    assert "https://index.docker.io/v1/" in (tmp_path / "configs").read_text(encoding="utf-8")
    variables = (tmp_path / "variables").read_text(encoding="utf-8")
    (folder,) = [line.partition("=")[2] for line in variables.splitlines() if line.startswith("DOCKER_CONFIG=")]
    assert not Path(folder).exists()
    assert "a secret word" not in variables + (tmp_path / "asked").read_text(encoding="utf-8")


def test_plain_http_is_spoken_to_this_machine_and_where_the_operator_says_so_only(tmp_path: Path) -> None:
    for host, environment, plain in (
        ("127.0.0.1:5000", {}, True),
        ("registry.example.com", {}, False),
        ("registry.example.com", {"SWITCHOVER_INSECURE_REGISTRIES": "other, registry.example.com"}, True),
    ):
        (tmp_path / "asked").unlink(missing_ok=True)
        given = {KEY: "k", "PATH": os.environ["PATH"], **environment}
        CosignSigner(recorder(tmp_path, ""), given, OPTIONAL).sign_image(f"{host}/shop@{DIGEST}", None)
        assert ("--allow-http-registry" in (tmp_path / "asked").read_text(encoding="utf-8")) is plain


def test_without_a_key_the_identity_of_the_place_signs(tmp_path: Path, sbom: Path) -> None:
    workflow = {
        "PATH": os.environ["PATH"],
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_WORKFLOW_REF": "acme/shop/.github/workflows/release.yml@refs/heads/main",
    }
    signer = CosignSigner(recorder(tmp_path, '[ "$1" = verify ] && exit 10; exit 0'), workflow, KEYLESS)
    assert signer.sign_image(f"registry.example.com/shop@{DIGEST}", sbom) == Done("sign", "signed")
    asked = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    assert [line.split()[0] for line in asked] == ["verify", "sign", "verify-attestation"]
    assert "--key" not in " ".join(asked)
    assert "--signing-config" not in " ".join(asked)
    assert r"--certificate-identity-regexp=^https://github\.com/acme/shop/\.github/workflows/release\.yml@" in asked[0]
