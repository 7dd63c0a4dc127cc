"""A folder with a switchover.toml and manifests, a fresh namespace, and the service `shop` in it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from switchover.adapters.connect import connect
from switchover.adapters.waiting import wait_until
from switchover.config import Config, load_config
from switchover.decide.deployment import DeployPlan
from switchover.decide.rollback import DEPLOY
from switchover.decide.rollout import Event
from switchover.errors import SwitchoverError
from switchover.model import Colour, Phase, Rollout, Route, ServiceRecord
from switchover.operations.deployment import AS_CONFIGURED, plan_deploy
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import acquire
from switchover.operations.preflight import require_ready
from switchover.operations.recovery import end_run, take_back_run
from switchover.operations.roll_out import roll_out
from tests.end_to_end.kubernetes.attempt import Attempt, read_attempt
from tests.end_to_end.kubernetes.cluster import TestCluster
from tests.end_to_end.kubernetes.deployer import make_deployer
from tests.end_to_end.kubernetes.timeline import Timeline
from tests.end_to_end.kubernetes.users import PAUSE_SECONDS, Users, asking

SERVICE = "shop"
ENVIRONMENT = "staging"
INSECURE = "SWITCHOVER_INSECURE_REGISTRIES"
ChangePlan = Callable[[DeployPlan], DeployPlan]
_PROJECT = Path(__file__).resolve().parents[3]
_APPLICATION = Path(__file__).parent / "application"
_RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


@dataclass(slots=True)
class Shop:
    """The service, its namespace, and an account that may do with it what the committed rights say."""

    cluster: TestCluster
    namespace: str
    root: Path
    settings: dict[str, Any]
    config: Config = field(init=False)
    ports: EnvironmentPorts = field(init=False)

    def __post_init__(self) -> None:
        self.configure()

    @property
    def host(self) -> str:
        return f"{self.namespace}.example.com"

    @property
    def repository(self) -> str:
        return f"{self.namespace}/app"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "deployer.kubeconfig"

    @property
    def environ(self) -> dict[str, str]:
        """What the deployer's process finds around it."""
        return {INSECURE: self.cluster.registry}

    @property
    def record(self) -> ServiceRecord:
        return self.ports.ledger.read().services[SERVICE]

    @property
    def live(self) -> Colour:
        live = self.record.live
        assert live is not None
        return live

    @property
    def live_version(self) -> str:
        release = self.record.slot(self.live).release
        assert release is not None
        return release.version

    def configure(self, **settings: object) -> None:
        """Write switchover.toml, with these settings changed, and connect as a new process would."""
        self.settings |= settings
        (self.root / "switchover.toml").write_text(
            _template("switchover.toml").format(**self.settings), encoding="utf-8"
        )
        self.config = load_config(self.root)
        self.ports = self.connect()

    def connect(self) -> EnvironmentPorts:
        return connect(self.config, ENVIRONMENT, start=True, environ=self.environ)

    def publish(self, version: str, **behaviour: str) -> str:
        """A release with this version that behaves as said (tests/cluster/app/behaviour.go); its digest."""
        return self.cluster.publish(self.repository, version, behaviour)

    def plan(self, version: str, strategy: str = AS_CONFIGURED) -> DeployPlan:
        return plan_deploy(self.config, self.ports, SERVICE, version, ENVIRONMENT, strategy, histories={})

    def deploy(self, version: str, strategy: str = AS_CONFIGURED, change: ChangePlan | None = None) -> Attempt:
        """Bring it live as the flow does, and take it back as the flow's hook does when it fails.

        `change` is what happens to the plan after everything was checked.
        """
        timeline, run, began = Timeline(), uuid.uuid4().hex, time.time()
        ports = timeline.watch(self.connect())
        plan = self.plan(version, strategy)
        require_ready(ports, plan)
        plan = change(plan) if change else plan
        claim = acquire(ports, f"deploy of {SERVICE} {version}", plan.lease_seconds)
        error, entry = None, None
        try:
            entry = roll_out(ports, claim, plan, rollout_id=run, kind=DEPLOY, flow_run_id=run)
        except SwitchoverError as trouble:
            error = trouble
        failed_at = time.time()
        if error is not None:
            hook = timeline.watch(self.connect())
            reason = f"{error.problem.failed}: {error.problem.found}"
            take_back_run(hook, run, Event.FAILED, reason)
            entry = end_run(hook, run, reason)
        return read_attempt(timeline, plan.new_colour, began, failed_at, entry, error)

    @contextlib.contextmanager
    def deploying(self, version: str, strategy: str = AS_CONFIGURED) -> Iterator[Future[Attempt]]:
        """The same beside what is done in the block; it has ended when the block has."""
        with ThreadPoolExecutor(1, thread_name_prefix="deployer") as pool:
            yield pool.submit(self.deploy, version, strategy)

    def await_phase(self, phase: Phase, within: float = 60.0) -> Rollout:
        """Wait until the rollout in flight is there."""
        found: list[Rollout] = []

        def there() -> bool:
            rollout = self.record.rollout
            if rollout is not None and rollout.phase is phase:
                found.append(rollout)
            return bool(found)

        assert wait_until(there, within, 0.1), f"the rollout never was in phase {phase}"
        return found[0]

    def switchover(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """The command line as an operator runs it here, without Prefect."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "KUBECONFIG"))}
        return subprocess.run(
            [sys.executable, "-m", "switchover.cli.main", *arguments],
            cwd=self.root,
            env={**ours, **self.environ, "PYTHONPATH": str(_PROJECT), **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )

    def bring_live(self, version: str) -> Colour:
        """Make sure that this version is live, whatever was before; its colour."""
        if self.record.live is None or self.live_version != version:
            attempt = self.deploy(version, "instant")
            assert attempt.error is None, attempt.message
        return self.live

    @contextlib.contextmanager
    def users(self, name: str = "users", *, pause: float = PAUSE_SECONDS) -> Iterator[Users]:
        """Constant load through the gateway."""
        file = self.root / f"{name}-{uuid.uuid4().hex[:6]}.jsonl"
        with asking(self.cluster.gateway, self.host, file, pause=pause) as users:
            yield users

    def ask(self, path: str = "/", headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """One answer through the gateway, as JSON; `AssertionError` unless it is 200."""
        address, _, port = self.cluster.gateway.rpartition(":")
        connection = http.client.HTTPConnection(address, int(port), timeout=10)
        try:
            connection.request("GET", path, headers={"host": self.host, **(headers or {})})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        assert answer.status == http.client.OK, f"{answer.status}: {body[:200]!r}"
        value: dict[str, Any] = json.loads(body)
        return value

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return self.cluster.get(self.namespace, kind, name)

    def names(self, kind: str, *selectors: str) -> set[str]:
        """Of all objects of a kind, as the administrator sees them."""
        return {each["metadata"]["name"] for each in self.cluster.list(self.namespace, kind, *selectors)}

    def pods(self, colour: Colour) -> list[dict[str, Any]]:
        """Those that are not on their way out."""
        found = self.cluster.list(
            self.namespace, "pods", f"switchover.dev/service={SERVICE}", f"switchover.dev/colour={colour}"
        )
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def assert_one_healthy_colour(self, version: str) -> None:
        """This version has all the traffic by every word that there is, the other colour is empty, no lease is held."""
        record = self.record
        assert self.live_version == version
        live = self.live
        assert record.rollout is None
        assert self.ports.ledger.read().lease is None
        everything = Route.giving(live, 100)
        assert record.route == everything
        assert self.ports.router.read_route(SERVICE) == everything
        self.ports.router.confirm_route(SERVICE, everything)
        status = self.ports.slots.read_status(SERVICE, live)
        assert status.ready, status.detail
        assert self.ports.slots.read_status(SERVICE, live.other).wanted_replicas == 0
        assert wait_until(lambda: not self.pods(live.other), 15.0, 0.5), "the idle colour is not empty"
        answer = self.ask()
        assert answer["version"] == version


@contextlib.contextmanager
def new_shop(cluster: TestCluster, root: Path, **settings: object) -> Iterator[Shop]:
    """A shop in a namespace of its own, with nothing deployed yet; the namespaces are deleted in the end.

    `settings` fill switchover.toml: `strategy`, `hold_seconds`, `bake_seconds`, `no_data_seconds`, and whole lines for
    the service (`migrations`), the environment, its section `kubernetes`, and the `placement` of the service in it.
    """
    namespace = f"e2e-{uuid.uuid4().hex[:8]}"
    home = f"{namespace}-deployer"
    for each in (namespace, home):
        cluster.kubectl("create", "namespace", each)
    try:
        cluster.kubectl("label", "namespace", namespace, _RESTRICTED)
        make_deployer(cluster, root, namespace, ENVIRONMENT, home)
        _write_manifests(cluster, root, namespace)
        values = {
            "strategy": "instant",
            "hold_seconds": 1,
            "bake_seconds": 1,
            "ready_seconds": 20,
            "migrations": "",
            "environment": "",
            "kubernetes": "",
            "placement": "",
            "no_data_seconds": 20,
            "namespace": namespace,
            "kubeconfig": str(root / "deployer.kubeconfig"),
            "gateway": cluster.gateway,
            "prometheus": cluster.prometheus,
            "image": f"{cluster.registry}/{namespace}/app",
        }
        yield Shop(cluster, namespace, root, {**values, **settings})
    finally:
        cluster.kubectl("delete", "namespace", namespace, home, "--wait=false")


def _write_manifests(cluster: TestCluster, root: Path, namespace: str) -> None:
    manifests = root / "manifests"
    manifests.mkdir()
    workload = _template("workload.yaml")
    repository = f"{cluster.registry}/{namespace}/app"
    (manifests / "workload.yaml").write_text(workload.replace("REPOSITORY", repository), encoding="utf-8")
    surroundings = _template("surroundings.yaml")
    for word, value in (
        ("GATEWAY_NAMESPACE", cluster.gateway_namespace),
        ("GATEWAY_NAME", cluster.gateway_name),
        ("HOST", f"{namespace}.example.com"),
    ):
        surroundings = surroundings.replace(word, value)
    cluster.apply(namespace, surroundings)


def _template(name: str) -> str:
    return (_APPLICATION / name).read_text(encoding="utf-8")
