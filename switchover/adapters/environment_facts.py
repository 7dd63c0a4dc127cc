"""What a rollback needs to know of an environment, kept in its state folder.

A deployment writes it down, so that a switchover.toml that was broken since cannot stand in front of a rollback.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from switchover.adapters.cluster_facts import ClusterFacts
from switchover.adapters.private_files import ensure_private_folder, read_or_none, write_private_json
from switchover.config import FILE_NAME, Config, load_config
from switchover.errors import InputError

_FILE = "facts.json"


@dataclass(frozen=True, slots=True)
class EnvironmentFacts:
    """One environment. Both paths are absolute; `cluster` is None for the target `local`.

    On Kubernetes the state folder holds these facts and nothing else: the ledger lives in the cluster.
    """

    environment: str
    state: Path
    artifacts: Path
    webhook_variable: str | None
    told_outcomes: tuple[str, ...]
    cluster: ClusterFacts | None = None

    @classmethod
    def of(cls, config: Config, environment: str) -> EnvironmentFacts:
        """As the configuration has them; raises `InputError` for an unknown environment."""
        notifications = config.notifications
        return cls(
            environment=environment,
            state=config.state_folder(environment).absolute(),
            artifacts=config.artifacts_folder().absolute(),
            webhook_variable=notifications.webhook_variable if notifications else None,
            told_outcomes=tuple(notifications.on) if notifications else (),
            cluster=ClusterFacts.of(config, environment),
        )

    def write(self) -> None:
        """Keep them in the state folder, which exists."""
        write_private_json(self.state / _FILE, _FACTS.dump_python(self, mode="json"))


_FACTS = TypeAdapter(EnvironmentFacts)


@dataclass(frozen=True, slots=True)
class FoundFacts:
    """`config` is where they are from, None when they were kept; `trouble` is what was wrong with it then."""

    facts: EnvironmentFacts
    config: Config | None = None
    trouble: InputError | None = None

    @property
    def warning(self) -> str:
        """One line for whoever asked."""
        if self.trouble is None:
            return ""
        problem = self.trouble.problem
        return f"going on with what {self.facts.state} says: {problem.failed} ({problem.found})"


def find_facts(file: Path, environment: str | None, choose: Callable[[Config], str]) -> FoundFacts:
    """From the configuration, or, when that cannot be read, from the default state folder beside it.

    `choose` names the environment in a configuration that can be read. `environment` is its name for one that
    cannot, None for the only one there is; raises what is wrong with the file when none is found.
    """
    try:
        config = load_config(file)
    except InputError as error:
        folder = file if file.is_dir() else file.parent
        found = sorted((folder / ".switchover").glob(f"{environment or '*'}/{_FILE}"))
        if len(found) != 1:
            raise
        return FoundFacts(read_facts(found[0].parent), trouble=error)
    return FoundFacts(EnvironmentFacts.of(config, choose(config)), config)


def read_facts(state: Path) -> EnvironmentFacts:
    """From a state folder; raises `InputError` when nothing was ever deployed with it."""
    text = read_or_none(state / _FILE)
    if text is None:
        raise _unknown(state, "no such file")
    ensure_private_folder(state)  # what others can write must not say where bytes come from
    try:
        facts = _FACTS.validate_json(text)
    except ValidationError as error:
        raise _unknown(state, str(error.errors()[0]["msg"])) from None
    return facts


def _unknown(state: Path, found: str) -> InputError:
    return InputError(
        f"{state} is not the state folder of an environment",
        expected=f"{_FILE} in it, as the first deployment writes it",
        found=found,
        next_step=f"correct the folder, or {FILE_NAME}",
    )
