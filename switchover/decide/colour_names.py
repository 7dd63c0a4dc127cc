"""What things are called on Kubernetes: labels, annotations, and the names of the objects of a colour."""

from __future__ import annotations

import hashlib

from switchover.model import Colour, Migration

LABEL_SERVICE = "switchover.dev/service"
LABEL_COLOUR = "switchover.dev/colour"
LABEL_MIGRATION = "switchover.dev/migration"
LABEL_COPY = "switchover.dev/copy"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "switchover"
ANNOTATION_VERSION = "switchover.dev/version"
ANNOTATION_RELEASE = "switchover.dev/release"
ANNOTATION_LOG_ERROR_PATTERN = "switchover.dev/log-error-pattern"
ANNOTATION_CONTAINER = "switchover.dev/container"
ANNOTATION_DRAIN_SECONDS = "switchover.dev/drain-seconds"
ANNOTATION_SOURCE = "switchover.dev/source"
VARIABLE_COLOUR = "SWITCHOVER_COLOUR"
VARIABLE_VERSION = "SWITCHOVER_VERSION"

SERVICE_PORT = 80
"""The port of a colour's Service, whatever the container's is: what a route refers to never changes."""
SERVICE_PORT_NAME = "http"

_DIGEST_DIGITS = 10
_LONGEST_COPIED_NAME = 200


def colour_name(service: str, colour: Colour) -> str:
    """The name of every object of a colour: Deployment, Service, HorizontalPodAutoscaler, PodDisruptionBudget."""
    return f"{service}-{colour}"


def colour_labels(service: str, colour: Colour) -> dict[str, str]:
    """What the pods of a colour have and its selectors ask for, for ever: a Deployment's selector cannot change."""
    return {LABEL_SERVICE: service, LABEL_COLOUR: str(colour)}


def copy_name(source: str, content: bytes) -> str:
    """The name of the copy of a ConfigMap or Secret with this content."""
    return f"{source[:_LONGEST_COPIED_NAME].rstrip('.-')}-{_short_digest(content)}"


def migration_name(migration: Migration, attempt: str) -> str:
    """The name of the Job of a migration: the same for the same attempt. One attempt may go down several versions."""
    digest = _short_digest(f"{attempt} {migration.release.version}".encode())
    return f"{migration.release.service}-{migration.step}-{digest}"


def _short_digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGEST_DIGITS]
