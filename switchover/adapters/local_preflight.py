"""The port `Preflight` on this machine: what can be known to go wrong is known to the other ports already."""

from __future__ import annotations

from collections.abc import Mapping

from switchover.model import Colour, Obstacle, Release, Step, Workload


class LocalPreflight:
    """The slots keep what they run themselves, so there is nothing to look up and nothing to back up."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def complete(self, service: str, workload: Workload) -> Workload:  # noqa: ARG002 the service is the cluster's matter
        """The workload as it is: the configuration says all of it."""
        return workload

    def find_obstacles(
        self,
        release: Release,
        workload: Workload,
        colour: Colour,  # noqa: ARG002 both are alike here
        steps: tuple[Step, ...],  # noqa: ARG002 Envoy can do all of them
    ) -> tuple[Obstacle, ...]:
        """What keeps this machine from running the release."""
        obstacles = []
        if not workload.command and workload.container is None:
            obstacles.append(
                Obstacle(
                    f"services.{release.service}",
                    "a `command` or a section `container`",
                    "neither: it runs on Kubernetes only",
                    "add one of them, or deploy it to an environment on Kubernetes",
                )
            )
        declared = workload.migrations
        if workload.container is not None and (declared.expand or declared.contract or declared.down):
            obstacles.append(
                Obstacle(
                    f"services.{release.service}.migrations",
                    "processes, or Kubernetes",
                    "containers on this machine, in which no migration is run",
                    "run the migration yourself and remove the section, or deploy it as processes",
                )
            )
        missing = [name for name in workload.secret_variables if name not in self._environ]
        if missing:
            obstacles.append(
                Obstacle(
                    f"services.{release.service}.secret_variables",
                    "each of them in this process's environment",
                    f"no {', '.join(missing)}",
                    "set them and repeat",
                )
            )
        return tuple(obstacles)

    def back_up(self, service: str, rollout_id: str, *, epoch: int) -> None:
        """Nothing: the live slot's files stay as they are until the colour is stopped."""
