"""The tables of switchover.toml, one class each; `switchover.config.Config` is the whole."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from switchover.config_cluster import KubernetesConfig, KubernetesServiceConfig, MigrationsConfig
from switchover.config_values import Event, HttpPath, Name, Percent, Seconds, Section, Share, VariableName
from switchover.model import JudgeSettings

STRATEGIES = ("instant", "canary-10", "canary-50", "canary-90")


class ProjectConfig(Section):
    """The repository as a whole."""

    name: Name = Field(description="Shown in run names, messages and artifacts.")


class SmokeConfig(Section):
    """One HTTP check of the idle colour, before any user reaches it."""

    name: str = Field(description="Shown when it fails.")
    path: HttpPath = Field(description="Path and query that every replica is asked for.")
    method: Literal["GET", "POST", "PUT", "DELETE", "HEAD"] = Field("GET", description="The request's method.")
    body: str = Field("", description="The request's body.")
    expect_status: int = Field(200, ge=100, le=599, description="Any other status fails the test.")
    body_contains: str = Field("", description="What the answer must contain; empty: it is not looked at.")
    within_ms: int = Field(2000, ge=1, le=120_000, description="An answer that takes longer fails the test.")


class ContainerConfig(Section):
    """A service whose replicas are containers; see docs/containers.md."""

    context: str | None = Field(
        None, description="Folder that the image is built from, relative to this file; the service's path if absent."
    )
    dockerfile: str = Field("Dockerfile", description="The recipe, relative to `context`.")
    port: int = Field(8080, ge=1, le=65535, description="Where the service listens inside; PORT says the same.")
    cpus: float | None = Field(None, gt=0, le=1024, description="Processors that a replica may use; absent: no limit.")
    read_only: bool = Field(default=True, description="The image cannot be written to at run time, except for /tmp.")
    capabilities: list[Annotated[str, Field(pattern=r"^[A-Z_]+$")]] = Field(
        default_factory=list,
        description="Linux capabilities that it keeps, like `CHOWN`; all others are dropped.",
    )


class ServiceConfig(Section):
    """A deployed service: processes that `command` starts, containers, or a workload on Kubernetes."""

    path: str = Field(description="Folder of the service, relative to this file.")
    package: str | None = Field(None, description="Its name in the workspace; the service's own name if absent.")
    build: list[str] | None = Field(
        None,
        min_length=1,
        description="Run in the repository's root; {output} is the folder to fill, {python} is allowed. "
        "Without it the service's own folder is the artifact.",
    )
    command: list[str] | None = Field(
        None, min_length=1, description="Started once per replica with PORT set; {python} is allowed."
    )
    container: ContainerConfig | None = None
    kubernetes: KubernetesServiceConfig | None = None
    migrations: MigrationsConfig | None = None
    replicas: int = Field(2, ge=1, le=64, description="How many copies of a colour run.")
    health_path: HttpPath = Field("/healthz", description="A replica is ready while this answers 200.")
    ready_seconds: Seconds = Field(30.0, description="How long a replica may take until its health path answers 200.")
    drain_seconds: Seconds = Field(5.0, description="How long a colour without traffic may finish what it has.")
    latency_budget_ms: int = Field(500, ge=1, description="An answer that takes longer counts as slow.")
    memory_limit_mb: int | None = Field(
        None, ge=1, description="A replica that takes more is ended; absent: no limit. Not on Kubernetes."
    )
    environment: dict[VariableName, str] = Field(default_factory=dict, description="Variables of every replica.")
    secret_variables: list[VariableName] = Field(
        default_factory=list,
        description="Handed through from the operator's environment, never written down. Not on Kubernetes.",
    )
    log_error_pattern: str = Field(r"\b(ERROR|CRITICAL|FATAL)\b", description="A log line that matches is an error.")
    smoke: list[SmokeConfig] = Field(default_factory=list)

    @field_validator("log_error_pattern")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            msg = f"not a regular expression: {error}"
            raise ValueError(msg) from error
        return value

    @model_validator(mode="after")
    def _runs_in_one_way(self) -> ServiceConfig:
        if self.command is not None and self.container is not None:
            msg = "on this machine a service is either a `command` (processes) or a section `container`, got both"
            raise ValueError(msg)
        if self.command is None and self.container is None and self.kubernetes is None:
            msg = "a service needs a `command` (processes), or a section `container` or `kubernetes`, got none of them"
            raise ValueError(msg)
        if self.container is not None and self.build is not None:
            msg = "`build` makes the files of a process; what goes into an image is said by its dockerfile"
            raise ValueError(msg)
        return self


class StepConfig(Section):
    """One step of an own strategy."""

    canary_percent: Percent = Field(description="The share of the new colour.")
    hold_seconds: Seconds = Field(description="How long it is watched there.")


class JudgeConfig(Section):
    """What the judge guards; see docs/judge.md."""

    alpha: Share = Field(
        JudgeSettings().alpha, description="The chance of a false alarm over a whole rollout, however often one looks."
    )
    margin: float = Field(
        JudgeSettings().margin,
        ge=0,
        le=10,
        description="How much worse than the live colour the new one may be, relatively.",
    )
    max_error_rate: Share = Field(
        JudgeSettings().max_error_rate,
        description="The objective: a higher share of failed requests is unhealthy, whatever live does.",
    )
    max_slow_rate: Share = Field(
        JudgeSettings().max_slow_rate, description="The same for answers over the latency budget."
    )
    pass_error_rate: Share = Field(
        JudgeSettings().pass_error_rate, description="Healthy is only what provably fails less often than this."
    )
    pass_slow_rate: Share = Field(
        JudgeSettings().pass_slow_rate, description="Healthy is only what is provably slow less often than this."
    )
    min_requests: int = Field(
        JudgeSettings().min_requests, ge=1, description="Fewer requests to the new colour are no data."
    )
    no_data_seconds: Seconds = Field(
        JudgeSettings().no_data_seconds, description="How long no data is held before it counts as unhealthy."
    )
    warm_up_seconds: Seconds = Field(
        JudgeSettings().warm_up_seconds, description="What the first seconds of the new colour show is not judged."
    )
    probe_failures: int = Field(
        JudgeSettings().probe_failures, ge=1, description="So many failed health probes in a row are unhealthy."
    )
    log_errors_per_100_lines: float = Field(
        JudgeSettings().log_errors_per_100_lines,
        ge=0,
        le=100,
        description="More error lines in a hundred are unhealthy.",
    )
    restarts: int = Field(JudgeSettings().restarts, ge=0, description="More restarts within the window are unhealthy.")
    restart_window_seconds: Seconds = Field(
        JudgeSettings().restart_window_seconds, description="The window for `restarts`."
    )


class GatesConfig(Section):
    """What must be true before a deploy begins."""

    after: list[Name] = Field(
        default_factory=list, description="Environments in which this very version must have been live."
    )


class ApprovalConfig(Section):
    """A person's word between the smoke tests and the first user."""

    required: bool = Field(default=True, description="Whether somebody must approve.")
    timeout_seconds: Seconds = Field(3600.0, description="Without an answer until then the release is taken back.")


class PlacementConfig(Section):
    """One service in one environment."""

    listen: str = Field("127.0.0.1:0", description="host:port of its traffic; port 0 chooses a free one, once.")
    replicas: int | None = Field(
        None, ge=1, le=64, description="Instead of the service's own number; not beside one in manifests."
    )
    environment: dict[VariableName, str] = Field(
        default_factory=dict, description="Variables here, beside and above the service's own."
    )
    manifests: str | None = Field(None, description="On Kubernetes: instead of the service's own, an overlay say.")
    route: str | None = Field(None, description="On Kubernetes: the name of its route object; the service's name.")
    host: str | None = Field(None, description="On Kubernetes: the host that probes ask for; the route's first one.")
    sticky: bool = Field(
        default=False, description="On Kubernetes: a user who was on the new colour stays there, by a cookie."
    )

    @field_validator("listen")
    @classmethod
    def _is_host_and_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 the highest port there is
            msg = "expected host:port, for example 127.0.0.1:8080"
            raise ValueError(msg)
        return value


class EnvironmentConfig(Section):
    """Where releases come live."""

    target: Literal["local", "kubernetes"] = Field("local", description="Where colours live.")
    kubernetes: KubernetesConfig | None = None
    approval: ApprovalConfig | None = Field(
        None, description="Absent: required on Kubernetes where the environment is called `production`."
    )
    state: str | None = Field(
        None, description="Folder of ledger, logs and slots; .switchover/<environment> if absent."
    )
    strategy: Literal["instant", "canary-10", "canary-50", "canary-90"] | None = Field(
        None, description="How the traffic moves; canary-10 if neither this nor `steps` is given."
    )
    steps: list[StepConfig] | None = Field(None, min_length=1, description="Own steps instead of a named strategy.")
    hold_seconds: Seconds = Field(60.0, description="How long each step of a named strategy is watched.")
    bake_seconds: Seconds = Field(300.0, description="How long the old colour stays warm after the last step.")
    lease_seconds: float = Field(15.0, ge=5, le=600, description="After this silence a deploy counts as dead.")
    judge: JudgeConfig = Field(default_factory=JudgeConfig)
    gates: GatesConfig = Field(default_factory=GatesConfig)
    services: dict[Name, PlacementConfig] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _says_where_its_cluster_is(self) -> EnvironmentConfig:
        if (self.target == "kubernetes") != (self.kubernetes is not None):
            msg = 'a section `kubernetes` and `target = "kubernetes"` go together'
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _has_one_strategy(self) -> EnvironmentConfig:
        if self.steps is not None and self.strategy is not None:
            msg = "give either `strategy` or `steps`, not both"
            raise ValueError(msg)
        if self.steps is not None:
            shares = [step.canary_percent for step in self.steps]
            if shares != sorted(set(shares)) or shares[-1] != 100:  # noqa: PLR2004 the whole traffic
                msg = f"steps must rise and end at 100, got {shares}"
                raise ValueError(msg)
        return self


class WavesConfig(Section):
    """Several environments that one deployment walks through; it stops at the first bad one."""

    environments: list[Annotated[list[Name], Field(min_length=1)]] = Field(
        min_length=1, description="One list per wave, a first small one before the others."
    )


class NotificationsConfig(Section):
    """Who is told. The address is a secret and stands in an environment variable."""

    webhook_variable: VariableName = Field(
        "SWITCHOVER_WEBHOOK_URL", description="The variable that holds the address of a Slack-compatible webhook."
    )
    on: tuple[Event, ...] = Field(("rolled back",), description="The outcomes that are told.")
