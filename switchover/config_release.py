"""The tables of switchover.toml about releases: where versions come from, and where artifacts go."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from switchover.config_values import Section, VariableName

# Safely within what Git takes for a name: every part begins and ends with a letter or digit.
_TAG = re.compile(r"[A-Za-z0-9]+([@/._-][A-Za-z0-9]+)*")
Severity = Literal["critical", "high", "medium", "low", "unknown"]
Platform = Annotated[str, Field(pattern=r"^linux/[a-z0-9]+(/v[0-9]+)?$")]
# Trivy separates patterns by commas, and one that it does not understand would turn off all of them.
Pattern = Annotated[str, Field(pattern=r"^[^/,\\\[\]{}][^,\\\[\]{}]*$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s@]+$")]


class NpmConfig(Section):
    """Where npm packages are published."""

    registry: Url = Field(description="The registry's address.")
    token_variable: VariableName | None = Field(
        "NPM_TOKEN", description="The variable with the token; without one npm's own login or OIDC counts."
    )
    access: Literal["public", "restricted"] = Field("public", description="Who may install a scoped package.")
    provenance: bool = Field(default=False, description="Let npm attest where the package was built; needs OIDC.")


class ImagesConfig(Section):
    """Where images are published, and for which machines."""

    repository: Annotated[str, Field(pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+|/\{service\})+$")] = Field(
        description="The repository of each image; {service} stands for the service's name."
    )
    platforms: list[Platform] = Field(
        default_factory=lambda: ["linux/amd64"], min_length=1, description="One build each, in parallel."
    )
    builder: Literal["auto", "engine", "buildx"] = Field(
        "auto", description="`auto`: docker buildx with its cache where it is there, else the engine's own build."
    )
    hosts: dict[Platform, str] = Field(
        default_factory=dict,
        description="Names of Prefect's blocks `Docker Host`, for platforms with an engine of their own.",
    )

    @field_validator("repository")
    @classmethod
    def _tells_services_apart(cls, value: str) -> str:
        if "{service}" not in value:
            msg = "must contain {service}, so that services do not share a repository"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _has_hosts_of_platforms(self) -> ImagesConfig:
        unknown = sorted(set(self.hosts) - set(self.platforms))
        if unknown or len(set(self.platforms)) != len(self.platforms):
            msg = f"hosts: {unknown[0]} is not among the platforms" if unknown else "platforms: one is in it twice"
            raise ValueError(msg)
        return self


class IgnoredFinding(Section):
    """A finding that does not stop a release, for a reason and for a time."""

    id: str = Field(min_length=1, description="What the scanner calls it: CVE-2026-1234, AVD-DS-0002, a secret's rule.")
    reason: str = Field(min_length=10, description="Why it does no harm here.")
    until: date = Field(description="The last day on which it is ignored.")
    package: str | None = Field(None, description="Only in this package; in any if absent.")


class ScanConfig(Section):
    """What must not be published."""

    enabled: bool = Field(default=True, description="Off: the stage is skipped, and says so.")
    scanners: tuple[Literal["vulnerabilities", "secrets", "misconfiguration"], ...] = Field(
        ("vulnerabilities", "secrets", "misconfiguration"), min_length=1, description="What is looked for."
    )
    block: tuple[Severity, ...] = Field(
        ("critical", "high"), description="Findings of these severities stop the release."
    )
    unfixed: bool = Field(default=True, description="Whether vulnerabilities that have no fix yet stop it too.")
    database: Literal["update", "as-is"] = Field(
        "update", description="`as-is`: Trivy's vulnerability database is used as it lies in its cache."
    )
    cache: str | None = Field(None, description="Trivy's cache folder, relative to this file; its own if absent.")
    ignore: list[IgnoredFinding] = Field(default_factory=list, description="Findings that do not stop it.")
    sources: bool = Field(
        default=True,
        description="Whether the repository's files at the released commit are looked at too: lock files, Dockerfiles, "
        "manifests.",
    )
    sources_skip: tuple[Pattern, ...] = Field(
        (), description="Folders and files that are left out of that, as paths or globs from the root (`**/fixtures`)."
    )


class SignConfig(Section):
    """Who vouches for the bytes."""

    required: bool = Field(
        default=False, description="Whether a release without a signature fails instead of skipping."
    )
    key_variable: VariableName = Field(
        "COSIGN_PRIVATE_KEY", description="The variable with cosign's private key; its password is in COSIGN_PASSWORD."
    )
    keyless: bool = Field(default=False, description="Sign with the identity of the place that runs this, by OIDC.")


class GithubConfig(Section):
    """The repository on GitHub: releases, pull requests, code scanning."""

    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$")] = Field(description="owner/name.")
    token_variable: VariableName = Field("GITHUB_TOKEN", description="The variable with the token.")
    api: Url = Field("https://api.github.com", description="The API's address, of an enterprise server for example.")
    releases: bool = Field(default=True, description="Make a release of every tag, with its artifacts.")
    code_scanning: bool = Field(default=False, description="Upload the scanner's SARIF.")


class CommitsConfig(Section):
    """How commits speak about versions."""

    enabled: bool = Field(default=True, description="Off: changesets alone decide.")
    squashed: Literal["ignore", "read"] = Field(
        "ignore", description="Whether the list in a squash commit's body (`* feat: …`) is read as commits."
    )
    reverts: Literal["ignore", "cancel", "patch"] = Field(
        "cancel",
        description="What a revert does: nothing; it cancels its commit where both are unreleased, else is a patch; "
        "always a patch.",
    )


class ReleaseConfig(Section):
    """How versions become artifacts."""

    artifacts: str = Field(".switchover/artifacts", description="Folder of released bytes, relative to this file.")
    private_packages: bool = Field(default=False, description="Version private packages that are no service too.")
    tag_format: str | None = Field(
        None,
        description="Git tag of a release; `{name}@{version}`, of a repository of one package `v{version}`, if absent.",
    )
    compat: Literal[2, 3] | None = Field(
        None,
        description="The major of changesets whose rules count; absent: the one that package.json declares, else 3.",
    )
    single_version: bool = Field(default=False, description="All packages have one version and move together.")
    test: list[str] | None = Field(
        None, min_length=1, description="Run in an export of the commit before anything is built; {python} is allowed."
    )
    versions: Literal["commit", "pull-request"] = Field(
        "commit",
        description="`commit`: new versions are committed and released at once. `pull-request`: they are proposed, and "
        "released when that is merged; needs `remote` and `release.github`.",
    )
    remote: str | None = Field(
        None, description="The Git remote that commits and tags go to; absent: they stay in the checkout."
    )
    branches: tuple[str, ...] = Field(
        (), description="Branches that may be released from, as names or globs (`main`, `release/*`); empty: any."
    )
    channels: dict[str, Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")]] = Field(
        default_factory=dict,
        description='Branches whose versions are prereleases, and their identifier: `next = "beta"`.',
    )
    commits: CommitsConfig = Field(default_factory=CommitsConfig)
    npm: NpmConfig | None = None
    images: ImagesConfig | None = None
    scan: ScanConfig = Field(default_factory=ScanConfig)
    sign: SignConfig = Field(default_factory=SignConfig)
    github: GithubConfig | None = None
    notify: list[Annotated[str, Field(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")]] = Field(
        default_factory=list,
        description="Prefect's notification blocks that are told, as `type/name`: `slack-webhook/team`.",
    )

    @field_validator("tag_format")
    @classmethod
    def _names_the_version(cls, value: str | None) -> str | None:
        if value is not None and "{version}" not in value:
            msg = "a tag format must contain {version}"
            raise ValueError(msg)
        plain = (value or "").replace("{name}", "a").replace("{version}", "1")
        if value is not None and not _TAG.fullmatch(plain):
            msg = "a tag format has letters, digits and any of @ / . _ - between them, as Git wants it"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _can_propose(self) -> ReleaseConfig:
        if self.versions == "pull-request" and (self.remote is None or self.github is None):
            msg = 'versions = "pull-request" needs `remote` and a section `release.github`'
            raise ValueError(msg)
        if self.github is not None and self.remote is None:
            msg = "a section `release.github` needs `remote`: a release there is made of a tag that was pushed"
            raise ValueError(msg)
        return self
