"""The Prefect flows on a shop: a project folder without a kubeconfig, and processes that run flows in it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_kubernetes.credentials import KubernetesClusterConfig, KubernetesCredentials

from blocks.environment_secrets import name_block
from switchover.adapters.waiting import wait_until
from tests.end_to_end.kubernetes.project import ENVIRONMENT, SERVICE, Shop
from tests.prefect.server import PrefectServer

_PROJECT = Path(__file__).resolve().parents[3]
_RUN_SECONDS = 150.0
_ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
_DEPLOY = "import sys; from flows.deploy import deploy; deploy(*sys.argv[1:5], config=sys.argv[5])"
_WAVES = "import sys; from flows.waves import deploy_waves; deploy_waves(*sys.argv[1:5], config=sys.argv[5])"


@dataclass(slots=True)
class FlowHouse:
    """A folder with a switchover.toml, whose flows run on this server."""

    folder: Path
    server: PrefectServer
    shop: Shop
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def file(self) -> str:
        return str(self.folder / "switchover.toml")

    def start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        """A process of the flows. It knows the cluster by its block alone, or by the file's kubeconfig."""
        around = {name: value for name, value in self.server.environ().items() if not name.startswith("KUBE")}
        with (self.folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=self.folder,
                env=around | self.shop.environ | {"PYTHONPATH": str(_PROJECT), "HOME": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def start_deploy(self, version: str, strategy: str) -> subprocess.Popen[bytes]:
        return self.start(f"deploy-{version}", "-c", _DEPLOY, SERVICE, version, ENVIRONMENT, strategy, self.file)

    def deploy(self, version: str, strategy: str) -> int:
        """Run the flow to its end; its exit status."""
        return self.start_deploy(version, strategy).wait(_RUN_SECONDS)

    def deploy_waves(self, version: str, waves: str) -> int:
        """Run the flow through the waves to its end; its exit status."""
        return self.start(f"waves-{version}", "-c", _WAVES, SERVICE, version, waves, "instant", self.file).wait(
            _RUN_SECONDS
        )

    def serve_deploy(self) -> None:
        """A runner of the flow `deploy`, in a process of its own."""
        self.start("serve", "-m", "flows.serve", "-e", ENVIRONMENT, "--only", "deploy")
        assert wait_until(lambda: "being served" in self.log("serve"), _RUN_SECONDS, 0.2), self.log("serve")

    def order_deploy(self, version: str, strategy: str) -> str:
        """Ask the server for a run; its id."""
        deployment = self.server.ask("GET", f"/deployments/name/deploy/{ENVIRONMENT}")
        parameters: dict[str, Any] = {"service": SERVICE, "version": version, "strategy": strategy}
        run = self.server.ask("POST", f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
        return str(run["id"])

    def cancel(self, run: str) -> None:
        """What the UI does when somebody presses Cancel."""
        state = {"type": "CANCELLING", "name": "Cancelling"}
        self.server.ask("POST", f"/flow_runs/{run}/set_state", {"state": state, "force": True})

    def await_end(self, run: str) -> str:
        """The type of the state that the run ended in."""
        found: list[str] = []

        def ended() -> bool:
            found[:] = [str(self.server.ask("GET", f"/flow_runs/{run}")["state_type"])]
            return found[0] in _ENDED

        assert wait_until(ended, _RUN_SECONDS, 0.5), found
        return found[0]

    def close(self) -> None:
        for process in self.processes:
            below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
            process.kill()
            process.wait()
            for child in below:
                child.kill()


@contextmanager
def flow_house(folder: Path, server: PrefectServer, shop: Shop) -> Iterator[FlowHouse]:
    """The shop's project in another folder, where only the block `switchover-staging` says who the deployer is."""
    shutil.copytree(shop.root / "manifests", folder / "manifests")
    lines = (shop.root / "switchover.toml").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("kubeconfig"))
    (folder / "switchover.toml").write_text(text + "\n", encoding="utf-8")
    save_block(server, ENVIRONMENT, shop.kubeconfig)
    house = FlowHouse(folder, server, shop)
    try:
        yield house
    finally:
        house.close()


def save_block(server: PrefectServer, environment: str, kubeconfig: Path) -> None:
    """What an operator fills in: the block of an environment with a deployer's kubeconfig."""
    document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    cluster = KubernetesClusterConfig(config=document, context_name=document["current-context"])
    with temporary_settings({PREFECT_API_URL: server.url}):
        KubernetesCredentials(cluster_config=cluster).save(name_block(environment), overwrite=True)
