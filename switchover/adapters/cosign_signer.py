"""The port `Signer` on the program cosign, with a key from the environment or with the identity of the place."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from switchover.adapters.cosign_checks import (
    INVENTORY,
    Attached,
    Identity,
    Standing,
    Trust,
    ask_inventory,
    ask_signature,
)
from switchover.adapters.cosign_program import Cosign, CosignAnswer, CosignError, CosignRegistry, open_cosign
from switchover.config_release import SignConfig
from switchover.decide.outcome import Done, Failed, Outcome, Skipped

STAGE = "sign"
# Neither a transparency log nor a service for time stamps, and nobody asked who they are: what is signed with a key
# of one's own needs no service elsewhere. Without these files cosign 3 asks for Sigstore's, in the public network.
_NO_SERVICES = (
    '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}'
)
_NO_ROOTS = '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'


class CosignSigner:
    """`program` None: there is no cosign here. The key never appears in an argument."""

    def __init__(self, program: str | None, environment: Mapping[str, str], settings: SignConfig) -> None:
        self._program = program
        self._environment = environment
        self._settings = settings

    @classmethod
    def from_machine(cls, settings: SignConfig, environment: Mapping[str, str]) -> CosignSigner:
        """The signer with the program that is on the PATH."""
        return cls(shutil.which("cosign", path=environment.get("PATH")), environment, settings)

    def sign_file(self, file: Path, signature: Path) -> Outcome:
        """Write a bundle (signature, and with an identity its certificate) of `file` to `signature`."""
        if self._program is None or self._has_no_key():
            return self._without()
        cosign = Cosign(self._program, self._environment)
        try:
            with self._signing() as arguments:
                answer = cosign.run("sign-blob", *arguments, f"--bundle={signature.absolute()}", str(file.absolute()))
        except CosignError as error:
            return Failed(STAGE, str(error))
        if answer.status != 0 or not signature.is_file():
            return self._failed("sign-blob", answer)
        return Done(STAGE, signature.name)

    def sign_image(self, reference: str, sbom: Path | None) -> Outcome:
        """Sign `repository@sha256:…` and attest its CycloneDX inventory `sbom`, each where it is not there yet."""
        if self._program is None or self._has_no_key():
            return self._without()
        repository = reference.partition("@")[0]
        try:
            with (
                open_cosign(self._program, self._environment, repository) as registry,
                self._trusting(registry.cosign) as trust,
            ):
                if isinstance(trust, Failed):
                    return trust
                return self._attach_all(registry, trust, reference, sbom)
        except CosignError as error:
            return Failed(STAGE, str(error))

    def _attach_all(self, registry: CosignRegistry, trust: Trust, reference: str, sbom: Path | None) -> Outcome:
        steps: list[tuple[str, Callable[[CosignRegistry, Trust, str], Attached], tuple[str, ...]]] = [
            ("signed", ask_signature, ("sign",))
        ]
        if sbom is not None:
            attest = ("attest", f"--type={INVENTORY}", f"--predicate={sbom.absolute()}")
            steps.append(("SBOM attested", ask_inventory, attest))
        done: list[str] = []
        for what, ask, (command, *arguments) in steps:
            found = ask(registry, trust, reference)
            if found.standing is Standing.UNKNOWN:
                return Failed(STAGE, f"cosign could not say whether {reference} is signed: {found.said}")
            if found.standing is Standing.ABSENT:
                with self._signing() as signing:
                    answer = registry.run(command, *signing, *arguments, reference)
                if answer.status != 0:
                    return self._failed(command, answer)
                done.append(what)
        return Done(STAGE, ", ".join(done)) if done else Skipped(STAGE, "already signed")

    @contextmanager
    def _signing(self) -> Iterator[tuple[str, ...]]:
        if self._settings.keyless:
            yield ("--yes",)
            return
        with tempfile.TemporaryDirectory(prefix="switchover-sign-") as made:
            services, roots = Path(made) / "services.json", Path(made) / "roots.json"
            services.write_text(_NO_SERVICES, encoding="utf-8")
            roots.write_text(_NO_ROOTS, encoding="utf-8")
            yield ("--yes", self._key(), f"--signing-config={services}", f"--trusted-root={roots}")

    @contextmanager
    def _trusting(self, cosign: Cosign) -> Iterator[Trust | Failed]:
        """Whose signature counts as ours: that of the key's public half, or of the identity that signs here."""
        if self._settings.keyless:
            yield _own_identity(self._environment)
            return
        answer = cosign.run("public-key", self._key())
        if answer.status != 0:
            yield self._failed("public-key", answer)
            return
        with tempfile.TemporaryDirectory(prefix="switchover-sign-") as made:
            public = Path(made) / "key.pub"
            public.write_text(answer.output, encoding="utf-8")
            yield public

    def _key(self) -> str:
        return f"--key=env://{self._settings.key_variable}"

    def _has_no_key(self) -> bool:
        return not self._settings.keyless and not self._environment.get(self._settings.key_variable)

    def _without(self) -> Outcome:
        missing, fix = "cosign is not on the PATH", "install cosign"
        if self._program is not None:
            missing = f"no key in {self._settings.key_variable}"
            fix = "set it, and COSIGN_PASSWORD, or release.sign.keyless"
        if not self._settings.required:
            return Skipped(STAGE, missing)
        return Failed(STAGE, f"{missing}, and release.sign.required is set; {fix}")

    def _failed(self, command: str, answer: CosignAnswer) -> Failed:
        hint = ""
        if "decryption failed" in answer.errors:
            hint = f"; COSIGN_PASSWORD does not open the key in {self._settings.key_variable}"
        elif "invalid pem block" in answer.errors:
            hint = f"; {self._settings.key_variable} holds no private key of cosign (`cosign generate-key-pair`)"
        return Failed(STAGE, f"cosign {command} failed with exit status {answer.status}: {answer.said}{hint}")


def _own_identity(environment: Mapping[str, str]) -> Identity:
    """Who signs in a workflow of GitHub. Elsewhere it is not known beforehand, and any identity counts as ours."""
    server, workflow = environment.get("GITHUB_SERVER_URL", ""), environment.get("GITHUB_WORKFLOW_REF", "")
    if server and workflow:
        issuer = r"^https://token\.actions\.githubusercontent\.com$"
        return Identity(f"^{re.escape(f'{server}/{workflow}')}$", issuer)
    return Identity(".+", ".+")
