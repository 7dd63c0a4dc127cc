"""The commented switchover.toml that `switchover init` writes."""

from __future__ import annotations

import json

from switchover.cli.service_detection import DetectedService

_HEAD = """\
#:schema ./{schema}
# What switchover releases and deploys. Every key with its default: docs/configuration.md, `switchover schema`.
# Unknown keys are refused; `switchover check` judges this file.

[project]
name = {project}
"""

_SERVICE = """
[services.{name}]
path = {path}
{package}# Started once per replica with PORT set; {{python}} is the Python that runs switchover.{guess}
command = {command}
replicas = 2
# A replica is ready when this answers 200.
health_path = "/healthz"
# An answer that takes longer counts as slow.
latency_budget_ms = 500

# Checked on the idle colour before the first user reaches it; repeat for more.
# [[services.{name}.smoke]]
# name = "front page"
# path = "/"
# expect_status = 200
# body_contains = "Welcome"
"""

_ENVIRONMENT = """
[environments.production]
target = "local"
# instant, canary-10 (10 -> 50 -> 100), canary-50 (50 -> 100), canary-90 (90 -> 100), or own `steps`.
strategy = "canary-10"
# How long each step is watched, and how long the old colour stays warm afterwards.
hold_seconds = 60
bake_seconds = 300
"""

_PLACEMENT = """
# Where users reach {name}; port 0 chooses a free one, once.
[environments.production.services.{name}]
listen = "127.0.0.1:0"
"""

_TAIL = """
# Who is told. The webhook's address is a secret and stands in this environment variable.
# [notifications]
# webhook_variable = "SWITCHOVER_WEBHOOK_URL"
# on = ["live", "rolled back"]
"""


def render_config(project: str, services: tuple[DetectedService, ...], schema: str) -> str:
    """The file's text for these services."""
    head = _HEAD.format(schema=schema, project=_quote(_project_name(project)))
    placements = "".join(_PLACEMENT.format(name=service.name) for service in services)
    return head + "".join(_render_service(service) for service in services) + _ENVIRONMENT + placements + _TAIL


def _render_service(service: DetectedService) -> str:
    return _SERVICE.format(
        name=service.name,
        path=_quote(service.path),
        package=f"package = {_quote(service.package)}\n" if service.package != service.name else "",
        guess="\n# This one is a guess: nothing in the folder says how it starts." if service.is_guess else "",
        command="[" + ", ".join(_quote(word) for word in service.command) + "]",
    )


def _project_name(folder: str) -> str:
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in folder.lower()).strip("-")
    return (plain if plain[:1].isalpha() else f"project-{plain}".rstrip("-"))[:40].rstrip("-")


def _quote(text: str) -> str:
    """A TOML string. JSON's escapes are TOML's, as long as other letters stay as they are."""
    return json.dumps(text, ensure_ascii=False)
