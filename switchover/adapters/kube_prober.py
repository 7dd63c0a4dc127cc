"""The port `Prober` on Kubernetes: a colour is asked through its own Service, past every route."""

from __future__ import annotations

import json
import time

from switchover.adapters.http_prober import judge_answer
from switchover.adapters.kube_api import KubeApi
from switchover.errors import TargetError
from switchover.model import ProbeResult, SmokeTest

_BY_THE_API_SERVER = range(502, 505)


class KubeProber:
    """Asks by way of the API server, which reaches Services from wherever we are."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api

    def probe(self, address: str, test: SmokeTest) -> ProbeResult:
        """Run one check against `<Service>:<port>`; the API server's own time counts as the service's.

        Raises `InputError` only when we may not ask (`services/proxy`).
        """
        name, _, port = address.rpartition(":")
        began = time.monotonic()
        try:
            status, body, seconds = self._api.ask_service(name, port, test)
        except TargetError as error:
            return _failed(test, time.monotonic() - began, error.problem.found)
        said = _said_by_the_api_server(status, body)
        if said:
            return _failed(test, seconds, said)
        trouble = judge_answer(test, status, body, seconds)
        return ProbeResult(
            test.name, passed=not trouble, status=status, seconds=seconds, detail=trouble or "as expected"
        )


def _failed(test: SmokeTest, seconds: float, why: str) -> ProbeResult:
    return ProbeResult(test.name, passed=False, status=None, seconds=seconds, detail=f"no answer: {why}")


def _said_by_the_api_server(status: int, body: str) -> str:
    """Its own words about why no pod was reached; empty: a pod has answered."""
    if status not in _BY_THE_API_SERVER:
        return ""
    try:
        value = json.loads(body)
    except ValueError:
        return "" if not body.startswith("Error trying to reach service") else body.strip()
    ours = isinstance(value, dict) and value.get("kind") == "Status" and value.get("apiVersion") == "v1"
    return str(value.get("message")) if ours else ""
