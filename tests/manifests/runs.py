"""The Job that a Prefect worker would make from the work pool's template."""

from __future__ import annotations

import json
from typing import Any

from prefect.utilities.templating import apply_values
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration  # type: ignore[import-untyped]

from tests.manifests.rendering import Object, Rendered


def read_template(deployer: Rendered) -> dict[str, Any]:
    text = deployer.one("ConfigMap", "base-job-template")["data"]["base-job-template.json"]
    template: dict[str, Any] = json.loads(text)
    return template


def make_run(deployer: Rendered) -> Object:
    """Prefect's own steps, with the variables' defaults and without a server."""
    template = read_template(deployer)
    variables = template["variables"]["properties"]
    values = {key: each["default"] for key, each in variables.items() if "default" in each}
    values |= {"name": "deploy-shop", "command": "prefect flow-run execute"}
    configuration = KubernetesWorkerJobConfiguration(**apply_values(template["job_configuration"], values))
    configuration._populate_env_in_manifest()
    configuration._slugify_labels()
    configuration._populate_command_if_not_present()
    configuration._propagate_labels_to_pod()
    job: Object = configuration.job_manifest
    # The worker leaves this to the API server, which ignores the two fields in this place (a habit of Prefect's).
    job["spec"] |= {each: job["spec"]["template"]["spec"].pop(each) for each in ("parallelism", "completions")}
    return job
