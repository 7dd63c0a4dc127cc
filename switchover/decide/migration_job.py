"""The Job that runs a migration where the release's own container would run."""

from __future__ import annotations

import json
import math

from switchover.decide.colour_names import (
    ANNOTATION_VERSION,
    LABEL_MANAGED_BY,
    LABEL_MIGRATION,
    MANAGED_BY,
    migration_name,
)
from switchover.decide.colouring import release_pods
from switchover.decide.kube_values import KubeObject, mapping_at, mappings_at
from switchover.model import Manifest, Migration

_KEPT_SECONDS = 7 * 24 * 3600
_OF_A_SERVER = ("args", "ports", "readinessProbe", "livenessProbe", "startupProbe", "lifecycle")
_OF_MANY = ("topologySpreadConstraints", "hostname", "subdomain")


def migration_job(migration: Migration, manifest: Manifest, attempt: str) -> KubeObject:
    """One pod that runs the command once, with the release's image, configuration, account and limits.

    Init containers stay: they fill the volumes that the container expects, or are the proxies (those with
    `restartPolicy: Always`) through which it reaches a database; such end with the Job. Other sidecars would keep it
    from ever ending. The pod has none of the service's labels, so no Service sends it users and no disruption budget
    counts it; a network policy finds it by `switchover.dev/migration: <service>`.
    """
    service = migration.release.service
    (deployment,) = (obj for obj in json.loads(manifest.objects) if obj["kind"] == "Deployment")
    template = mapping_at(deployment, "spec", "template")
    pods = release_pods(mapping_at(template, "spec"), migration.release, migration.workload, manifest)
    containers = [each for each in mappings_at(pods, "containers") if each.get("name") == manifest.container]
    for container in containers:
        container["command"] = list(migration.command)
        for field in _OF_A_SERVER:
            container.pop(field, None)
    for field in _OF_MANY:
        pods.pop(field, None)
    mapping_at(pods, "affinity").pop("podAntiAffinity", None)
    labels = {LABEL_MIGRATION: service, LABEL_MANAGED_BY: MANAGED_BY}
    annotations = {**mapping_at(template, "metadata", "annotations"), ANNOTATION_VERSION: migration.release.version}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": migration_name(migration, attempt),
            "labels": labels,
            "annotations": {ANNOTATION_VERSION: migration.release.version},
        },
        "spec": {
            "activeDeadlineSeconds": max(1, math.ceil(migration.workload.migrations.timeout_seconds)),
            "backoffLimit": 0,
            # A node that is emptied ends the pod; a migration may be repeated, so that is no failure of it.
            "podFailurePolicy": {
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            },
            "ttlSecondsAfterFinished": _KEPT_SECONDS,
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": {**pods, "containers": containers, "restartPolicy": "Never"},
            },
        },
    }
