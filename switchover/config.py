"""switchover.toml: what a user writes, checked whole before anything happens.

Unknown keys are refused with the nearest known one named; nothing is defaulted that a typo could hide.
`python -m switchover.config` prints the JSON Schema that editors use.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from switchover.config_cluster import MigrationsConfig
from switchover.config_flags import FlagsConfig
from switchover.config_mistakes import explain, nearest, unknown
from switchover.config_release import ReleaseConfig
from switchover.config_sections import (
    ApprovalConfig,
    ContainerConfig,
    EnvironmentConfig,
    NotificationsConfig,
    PlacementConfig,
    ProjectConfig,
    ServiceConfig,
    WavesConfig,
)
from switchover.config_values import Name, Section
from switchover.errors import InputError
from switchover.model import Container, JudgeSettings, Migrations, SmokeTest, Step, Workload

FILE_NAME = "switchover.toml"


class Config(Section):
    """The whole file, and where it stands."""

    file: Path = Field(exclude=True)
    project: ProjectConfig
    release: ReleaseConfig = Field(default_factory=ReleaseConfig)
    services: dict[Name, ServiceConfig] = Field(default_factory=dict)
    environments: dict[Name, EnvironmentConfig] = Field(default_factory=dict)
    waves: dict[Name, WavesConfig] = Field(default_factory=dict)
    notifications: NotificationsConfig | None = None
    flags: FlagsConfig = Field(default_factory=FlagsConfig)

    @model_validator(mode="after")
    def _keeps_environments_apart(self) -> Config:
        folders = [self.state_folder(name).resolve() for name in self.environments]
        for name, folder in zip(self.environments, folders, strict=True):
            if folders.count(folder) > 1:
                msg = f"environments.{name}.state: {folder} belongs to another environment too; each needs its own"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _refers_to_what_exists(self) -> Config:
        for name, environment in self.environments.items():
            for service in environment.services:
                if service not in self.services:
                    near = nearest(service, self.services)
                    msg = f"environments.{name}.services.{service}: no service of that name{near}"
                    raise ValueError(msg)
            for gate in environment.gates.after:
                if gate not in self.environments or gate == name:
                    others = [other for other in self.environments if other != name]
                    msg = f"environments.{name}.gates.after: no other environment {gate!r}{nearest(gate, others)}"
                    raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _has_waves_of_environments(self) -> Config:
        for name, waves in self.waves.items():
            listed = [environment for wave in waves.environments for environment in wave]
            for environment in listed:
                if environment not in self.environments:
                    near = nearest(environment, self.environments)
                    msg = f"waves.{name}.environments: no environment {environment!r}{near}"
                    raise ValueError(msg)
                if listed.count(environment) > 1:
                    msg = f"waves.{name}.environments: {environment} is in it twice"
                    raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _has_what_each_target_needs(self) -> Config:
        for name, environment in self.environments.items():
            for service, config in self.services.items():
                if environment.target == "kubernetes" and service in environment.services and config.kubernetes is None:
                    msg = f"environments.{name}.services.{service}: services.{service} has no section `kubernetes`"
                    raise ValueError(msg)
        return self

    @property
    def root(self) -> Path:
        """The folder that the paths in the file are relative to."""
        return self.file.parent

    def service(self, name: str) -> ServiceConfig:
        """The service, or `InputError` naming those there are."""
        if name not in self.services:
            raise unknown("service", name, self.services)
        return self.services[name]

    def environment(self, name: str) -> EnvironmentConfig:
        """The environment, or `InputError` naming those there are."""
        if name not in self.environments:
            raise unknown("environment", name, self.environments)
        return self.environments[name]

    def waves_in_order(self, name: str) -> tuple[str, ...]:
        """The environments of the waves one after the other; `InputError` naming the waves there are."""
        if name not in self.waves:
            raise unknown("waves", name, self.waves)
        return tuple(environment for wave in self.waves[name].environments for environment in wave)

    def placement(self, environment: str, service: str) -> PlacementConfig:
        """The service in that environment, with the defaults where the file says nothing."""
        self.service(service)
        return self.environment(environment).services.get(service, PlacementConfig())

    def state_folder(self, environment: str) -> Path:
        """Where the environment's ledger, logs and slots are."""
        return self.root / (self.environment(environment).state or f".switchover/{environment}")

    def artifacts_folder(self) -> Path:
        """Where released bytes are."""
        return self.root / self.release.artifacts

    def workload(self, environment: str, service: str) -> Workload:
        """How one colour of the service runs there."""
        config, placement = self.service(service), self.placement(environment, service)
        return Workload(
            command=tuple(config.command or ()),
            replicas=placement.replicas or config.replicas,
            health_path=config.health_path,
            environment={**config.environment, **placement.environment},
            secret_variables=tuple(config.secret_variables),
            ready_seconds=config.ready_seconds,
            drain_seconds=config.drain_seconds,
            latency_budget_ms=config.latency_budget_ms,
            memory_limit_mb=config.memory_limit_mb,
            log_error_pattern=config.log_error_pattern,
            container=_container(config.container),
            migrations=_migrations(config.migrations),
        )

    def approval_seconds(self, environment: str) -> float | None:
        """How long a person has to approve there; None: nobody is asked.

        Where the file says nothing a person is asked in `production` on Kubernetes only.
        """
        settings = self.environment(environment)
        asked = settings.approval
        if asked is None:
            asked = ApprovalConfig(required=settings.target == "kubernetes" and environment == "production")
        return asked.timeout_seconds if asked.required else None

    def smoke_tests(self, service: str) -> tuple[SmokeTest, ...]:
        """The checks of an idle colour."""
        return tuple(SmokeTest(**smoke.model_dump()) for smoke in self.service(service).smoke)

    def judge_settings(self, environment: str) -> JudgeSettings:
        """What the judge guards there."""
        settings = self.environment(environment)
        counted = settings.kubernetes is None or settings.kubernetes.prometheus is not None
        return JudgeSettings(**settings.judge.model_dump(), counts_traffic=counted)

    def own_steps(self, environment: str) -> tuple[Step, ...] | None:
        """The environment's own steps, None where it uses a named strategy."""
        steps = self.environment(environment).steps
        return tuple(Step(step.canary_percent, step.hold_seconds) for step in steps) if steps else None


def _container(config: ContainerConfig | None) -> Container | None:
    if config is None:
        return None
    return Container(config.port, config.cpus, config.read_only, tuple(config.capabilities))


def _migrations(config: MigrationsConfig | None) -> Migrations:
    if config is None:
        return Migrations()
    return Migrations(
        expand=tuple(config.expand or ()),
        contract=tuple(config.contract or ()),
        down=tuple(config.down or ()),
        irreversible=config.irreversible,
        timeout_seconds=config.timeout_seconds,
    )


def load_config(path: Path) -> Config:
    """Read and check a switchover.toml (the file, or the folder it stands in); raise `InputError` for what is wrong."""
    file = path / FILE_NAME if path.is_dir() else path
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"there is no {FILE_NAME}",
            expected=f"a configuration at {file}",
            found="no such file",
            next_step="write one with `switchover init`, or name it with --config",
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            f"cannot read {file}", expected="TOML in UTF-8", found=str(error), next_step="correct the file"
        ) from error
    return parse_config(document, file.resolve())


def parse_config(document: dict[str, Any], file: Path) -> Config:
    """Check a document that was already read from `file`."""
    if "file" in document:
        raise unknown("key", "file", [name for name in Config.model_fields if name != "file"])
    try:
        return Config.model_validate({**document, "file": file})
    except ValidationError as error:
        problems = [explain(problem, Config) for problem in error.errors()]
        raise InputError(
            f"{file} has {len(problems)} mistake{'s' if len(problems) > 1 else ''}",
            expected="the keys of docs/configuration.md",
            found="; ".join(problems),
            next_step="correct them; `switchover check` looks again",
        ) from None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors."""
    schema = Config.model_json_schema()
    schema["properties"].pop("file")
    schema["required"].remove("file")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "switchover.toml"
    return schema


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2))
