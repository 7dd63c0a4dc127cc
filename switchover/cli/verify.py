"""`switchover verify`: whether bytes, ledger, router and processes say the same, or an image is vouched for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from switchover.cli.abandoned import open_recovered
from switchover.cli.inspection import inspect_environment
from switchover.cli.options import chosen_environments, common_options, environment_option, read_config
from switchover.cli.output import emit
from switchover.cli.surroundings import Surroundings, look_around
from switchover.cli.verify_image import verify_image
from switchover.errors import InputError, SwitchoverError
from switchover.model import Colour, Release
from switchover.operations.environment import EnvironmentPorts


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was compared. `found` says what does not fit, empty when it fits."""

    environment: str
    what: str
    found: str


@click.command()
@click.argument("image", required=False)
@click.option(
    "--key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="IMAGE must be signed with this public key of cosign.",
)
@click.option("--identity", help="IMAGE must be signed without a key by this identity, a regular expression.")
@click.option("--issuer", help="Who vouches for the identity, a regular expression.")
@environment_option
@common_options
@click.pass_context
def verify(
    context: click.Context,
    image: str | None,
    key: Path | None,
    identity: str | None,
    issuer: str | None,
    environment: str | None,
    config_path: Path | None,
    *,
    as_json: bool,
) -> None:
    """Compare artifacts, ledger, router and processes.

    Artifacts are those of every live or warm release. With IMAGE (registry/repository, with :tag or @digest) nothing
    is compared: its signature and the attestation of its SBOM are verified, by --key, by --identity and --issuer, or
    by the `signature_key` of the configuration. Exit status 1 names what does not fit.
    """
    if image is None:
        _refuse_without_image(key, identity, issuer)
        context.exit(_compare(environment, config_path, as_json=as_json))
    if environment is not None:
        raise _wrong("--environment", "an image belongs to no environment")
    verified = verify_image(image, key, identity, issuer, config_path)
    emit(verified, str(verified), as_json=as_json)
    context.exit(0 if verified.fits else 1)


def _refuse_without_image(key: Path | None, identity: str | None, issuer: str | None) -> None:
    for option, value in (("--key", key), ("--identity", identity), ("--issuer", issuer)):
        if value is not None:
            raise _wrong(option, "there is no IMAGE that it could be about")


def _wrong(option: str, why: str) -> InputError:
    return InputError(
        "switchover verify: the arguments are wrong",
        expected="an IMAGE with --key or --identity and --issuer, or an --environment",
        found=f"{option}, and {why}",
        next_step="switchover verify --help",
    )


def _compare(environment: str | None, config_path: Path | None, *, as_json: bool) -> int:
    config = read_config(config_path)
    findings = [
        finding
        for name in chosen_environments(config, environment)
        for finding in _verify(open_recovered(config, name), look_around(config, name))
    ]
    wrong = [finding for finding in findings if finding.found]
    lines = [f"{one.environment}: {one.what}: {one.found or 'fits'}" for one in findings]
    emit(
        {"fits": not wrong, "findings": findings},
        "\n".join([*lines, _sum_up(len(findings), len(wrong))]),
        as_json=as_json,
    )
    return 1 if wrong else 0


def _sum_up(found: int, wrong: int) -> str:
    if not found:
        return "nothing is deployed here: there is nothing to compare"
    return f"{wrong} of {found} do not fit" if wrong else f"all {found} fit"


def _verify(ports: EnvironmentPorts, around: Surroundings) -> list[Finding]:
    record = ports.ledger.read()
    findings = []
    for service in record.services.values():
        for colour in Colour:
            release = service.slot(colour).release
            if release is not None:
                what = f"bytes of {release.service} {release.version} on {colour}"
                findings.append(Finding(ports.name, what, _compare_bytes(ports, release)))
    status = inspect_environment(ports, surroundings=around)
    for each in status.services:
        found = "; ".join(each.disagreements) or (status.target_silence if each.live else "")
        findings.append(Finding(ports.name, f"ledger, router and processes of {each.service}", found))
    if status.abandoned:
        findings.append(Finding(ports.name, "lease", "a rollout is in flight that nobody holds a lease for"))
    return findings


def _compare_bytes(ports: EnvironmentPorts, release: Release) -> str:
    try:
        ports.releases.check(release)
    except SwitchoverError as error:
        return f"{error.problem.failed}: {error.problem.found}, expected {error.problem.expected}"
    return ""
