"""`verify IMAGE`: on a real registry, with signatures of the real cosign."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from switchover.adapters.cosign_signer import CosignSigner
from switchover.config_release import SignConfig
from switchover.decide.outcome import Done
from tests.cli.harness import Project
from tests.cluster.images import image_of, program_layer, push_image
from tests.real_parts.cosign import PASSWORD, KeyPair, find_cosign, make_key_pair
from tests.real_parts.docker_registry import docker_registry

KUBERNETES = """
[environments.cluster]
target = "kubernetes"

[environments.cluster.kubernetes]
context = "test"
namespace = "shop"
signature_key = "{key}"
"""


@dataclass(frozen=True, slots=True)
class Images:
    """The repositories of a registry, and the digest of the one image in each."""

    pair: KeyPair
    attested: str
    signed: str
    plain: str
    digests: dict[str, str]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    folder = tmp_path_factory.mktemp("images")
    pair = make_key_pair(folder / "key")
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "COSIGN_PASSWORD": PASSWORD}
    signer = CosignSigner(find_cosign(), {**environ, "COSIGN_PRIVATE_KEY": pair.private}, SignConfig())
    sbom = folder / "sbom.json"
    sbom.write_text('{"bomFormat": "CycloneDX", "specVersion": "1.6"}', encoding="utf-8")
    with docker_registry(folder / "registry") as address:
        digests = {name: push(address, folder, name) for name in ("attested", "signed", "plain")}
        for name, inventory in (("attested", sbom), ("signed", None)):
            assert isinstance(signer.sign_image(f"{address}/{name}@{digests[name]}", inventory), Done)
        yield Images(pair, f"{address}/attested", f"{address}/signed", f"{address}/plain", digests)


@pytest.fixture(autouse=True)
def _with_cosign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(find_cosign()).parent), os.environ["PATH"]]))


def push(address: str, folder: Path, repository: str) -> str:
    (folder / "app").write_text(repository, encoding="utf-8")
    with httpx.Client(base_url=f"http://{address}") as client:
        return push_image(client, repository, "1.4.2", image_of(program_layer(folder / "app"), {}))


def test_a_signed_and_attested_image_is_shown_by_its_digest(project: Project, images: Images) -> None:
    digest = images.digests["attested"]
    for reference in (f"{images.attested}:1.4.2", f"{images.attested}@{digest}"):
        ran = project.run("verify", reference, "--key", str(images.pair.public))
        assert ran.status == 0, ran.out + ran.err
        assert ran.out == f"{images.attested}@{digest}\nsigned, and its SBOM is attested\n"


def test_what_is_missing_is_named_and_is_no_success(project: Project, images: Images) -> None:
    key = ("--key", str(images.pair.public))
    ran = project.run("verify", f"{images.signed}:1.4.2", *key)
    assert ran.status == 1
    assert f"the attested SBOM of {images.signed}@{images.digests['signed']}: " in ran.out
    assert "the signature of" not in ran.out
    ran = project.run("verify", f"{images.plain}:1.4.2", *key, "--json")
    assert ran.status == 1
    assert (ran.json["image"], ran.json["fits"]) == (f"{images.plain}@{images.digests['plain']}", False)
    assert [each["place"].partition(" of ")[0] for each in ran.json["missing"]] == [
        "the signature",
        "the attested SBOM",
    ]


def test_another_key_is_not_content(project: Project, images: Images, tmp_path: Path) -> None:
    other = make_key_pair(tmp_path / "other")
    ran = project.run("verify", f"{images.attested}:1.4.2", "--key", str(other.public))
    assert ran.status == 1
    assert len(ran.out.splitlines()) == 3


def test_the_key_of_the_configuration_is_taken_where_there_is_one(project: Project, images: Images) -> None:
    ran = project.run("verify", f"{images.attested}:1.4.2")
    assert ran.status == 2
    assert "no key in the configuration" in ran.err
    (project.root / "ours.pub").write_bytes(images.pair.public.read_bytes())
    with project.config_file.open("a", encoding="utf-8") as file:
        file.write(KUBERNETES.format(key="ours.pub"))
    ran = project.run("verify", f"{images.attested}:1.4.2")
    assert ran.status == 0, ran.out + ran.err


def test_an_image_that_is_not_there_is_said_as_such(project: Project, images: Images) -> None:
    ran = project.run("verify", f"{images.attested}:9.9.9", "--key", str(images.pair.public))
    assert ran.status == 1
    assert "has no such image" in ran.err
    ran = project.run("verify", "127.0.0.1:1/shop", "--key", str(images.pair.public))
    assert ran.status == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("https://example.com/shop", "--key", __file__),
        ("localhost:1/shop", "--key", "no-such-key.pub"),
        ("localhost:1/shop", "--key", __file__, "--identity", "b", "--issuer", "c"),
        ("localhost:1/shop", "--identity", "b"),
        ("localhost:1/shop", "--issuer", "c"),
        ("localhost:1/shop", "--key", __file__, "--environment", "production"),
        ("--key", __file__),
        ("--identity", "b"),
        ("--issuer", "c"),
    ],
)
def test_arguments_that_are_wrong_or_contradict_each_other_are_refused(
    project: Project, arguments: tuple[str, ...]
) -> None:
    ran = project.run("verify", *arguments)
    assert ran.status == 2
    assert "next:" in ran.err
