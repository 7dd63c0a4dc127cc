"""What operators do beside switchover, what they do with it, and what they look at."""

from __future__ import annotations

import hashlib
import json
import uuid

from switchover.adapters.waiting import wait_until
from switchover.decide.rollback import RollbackPlan
from switchover.model import Colour, HistoryEntry
from switchover.operations.rollback import RollbackRequest
from tests.end_to_end.kubernetes.project import SERVICE, Shop
from tests.end_to_end.kubernetes.timeline import Timeline
from tests.operations.house import bring_back


def set_configuration(shop: Shop, text: str) -> None:
    """What an operator changes beside a release."""
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop-config"}, "data": {"greeting": text}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop-secrets"}, "stringData": {"token": text}}
    shop.cluster.apply(shop.namespace, f"{json.dumps(config)}\n---\n{json.dumps(secret)}")


def take_back(
    shop: Shop, version: str | None = None, timeline: Timeline | None = None
) -> tuple[RollbackPlan, HistoryEntry | None]:
    """What `switchover rollback` does, in this process."""
    ports = (timeline or Timeline()).watch(shop.connect())
    return bring_back(ports, RollbackRequest(SERVICE, version, "a person", "asked for", uuid.uuid4().hex))


def scale(shop: Shop, colour: Colour, replicas: int) -> None:
    """What an autoscaler does in a busy hour, which has no figures of the pods here."""
    shop.cluster.kubectl(
        *("scale", f"deployment/shop-{colour}", "--namespace", shop.namespace, f"--replicas={replicas}")
    )
    assert wait_until(lambda: shop.ports.slots.read_status(SERVICE, colour).ready_replicas >= replicas, 20.0)


def patch_route(shop: Shop, operations: list[dict[str, object]]) -> None:
    """Change the HTTPRoute as somebody else would."""
    shop.cluster.kubectl(
        *("patch", "httproute", SERVICE, "--namespace", shop.namespace, "--type=json", "-p", json.dumps(operations))
    )


def read_sizes(shop: Shop, colour: Colour) -> tuple[int, int, int]:
    """Replicas of the Deployment, minimum and maximum of its autoscaler."""
    bounds = shop.get("horizontalpodautoscaler", f"shop-{colour}")["spec"]
    replicas = shop.get("deployment", f"shop-{colour}")["spec"]["replicas"]
    return replicas, bounds["minReplicas"], bounds["maxReplicas"]


def assert_has_configuration(shop: Shop, text: str) -> None:
    """The pods that answer mount this configuration and this secret."""
    shown = shop.ask("/config")
    assert shown["config"] == {"greeting": text}
    assert shown["secret"] == {"token": hashlib.sha256(text.encode()).hexdigest()}


def read_migrations(shop: Shop) -> list[tuple[str, str]]:
    """Version of the image and arguments of every migration that ended well, in the order of their starts."""
    jobs = shop.cluster.list(shop.namespace, "jobs")
    assert all(job["status"].get("succeeded") == 1 for job in jobs), [job["status"] for job in jobs]
    said = []
    for job in sorted(jobs, key=lambda job: (job["status"]["startTime"], job["status"]["completionTime"])):
        log = shop.cluster.kubectl("logs", f"job/{job['metadata']['name']}", "--namespace", shop.namespace)
        line = json.loads(log.splitlines()[-1])
        assert line["message"] == "migrated"
        said.append((line["version"], " ".join(line["arguments"])))
    return said
