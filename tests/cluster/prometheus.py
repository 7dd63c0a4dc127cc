"""Debian's Prometheus, scraping the gateway's Envoy every second where an operator's does so every fifteen."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from switchover.errors import TargetError
from tests.cluster.certificates import Pair
from tests.cluster.control_plane import answers
from tests.cluster.debian import program, unpacked
from tests.cluster.processes import Child, await_ready
from tests.cluster.processes import start as start_child

PORT = 9090
_SECONDS_TO_START = 60
_LOOK_EVERY = 0.1
_ENVOY_JOB = "envoy"
# The kubelet knows a thousand series more, none of which says why a container is slow or gone.
_CONTAINER_METRICS = "container_cpu_(cfs_.*|usage_seconds_total)|container_memory_working_set_bytes|container_oom_.*"


@dataclass(frozen=True, slots=True)
class PrometheusProgram:
    """What `start` needs."""

    program: Path


def prepare() -> PrometheusProgram:
    """Have the program in the cache."""
    return PrometheusProgram(program(unpacked("prometheus", ["prometheus"]), "prometheus"))


def start(
    prepared: PrometheusProgram, folder: Path, logs: Path, address: str, *, envoy: str, kubelet: str, client: Pair
) -> Child:
    """Serve on the "host:port" `address`. Returns when it answers; its first scrape comes seconds later.

    Scraped are Envoy's counters at `envoy` and the containers' at `kubelet`, as this client of the kubelet.
    """
    configuration = folder / "prometheus.yml"
    configuration.write_text(json.dumps(_configuration(envoy, kubelet, client)))
    command: list[str | Path] = [
        prepared.program,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=2h",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    child = start_child("prometheus", command, logs=logs)
    await_ready(child, lambda: answers(f"http://{address}/-/ready"), within=_SECONDS_TO_START)
    return child


def await_scraping(address: str) -> None:
    """Wait until Envoy has been scraped: before that, what happens is not seen to happen."""
    until = time.monotonic() + _SECONDS_TO_START
    while (target := _envoy_target(address)).get("health") != "up":
        if time.monotonic() > until:
            raise TargetError(
                "Prometheus does not scrape Envoy",
                expected=f"the target to be up within {_SECONDS_TO_START} s",
                found=str(target.get("lastError") or "no scrape yet"),
                next_step="read the logs of Envoy and Prometheus",
            )
        time.sleep(_LOOK_EVERY)


def _envoy_target(address: str) -> dict[str, Any]:
    # Before Prometheus has looked at its configuration for the first time it has no targets.
    found = httpx.get(f"http://{address}/api/v1/targets", params={"state": "active"}, trust_env=False)
    targets = found.raise_for_status().json()["data"]["activeTargets"]
    return next((target for target in targets if target["labels"]["job"] == _ENVOY_JOB), {})


def _configuration(envoy: str, kubelet: str, client: Pair) -> dict[str, Any]:
    gateway = {"job_name": _ENVOY_JOB, "metrics_path": "/stats/prometheus", "static_configs": [{"targets": [envoy]}]}
    containers = {
        "job_name": "containers",
        "scheme": "https",
        "metrics_path": "/metrics/cadvisor",
        # The kubelet has a certificate that nobody signed.
        "tls_config": {
            "cert_file": str(client.certificate),
            "key_file": str(client.key),
            "insecure_skip_verify": True,
        },
        # The kubelet looks at its containers every ten to fifteen seconds.
        "scrape_interval": "5s",
        "scrape_timeout": "4s",
        "static_configs": [{"targets": [kubelet]}],
        "metric_relabel_configs": [
            {"source_labels": ["__name__"], "regex": _CONTAINER_METRICS, "action": "keep"},
        ],
    }
    return {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [gateway, containers]}
