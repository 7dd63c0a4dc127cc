"""A block of secrets reaches the workload, and nothing else."""

from __future__ import annotations

import json
import sys

import pytest

from blocks.environment_secrets import name_block
from tests.local_target_fixtures import ask
from tests.prefect.conftest import OpenHouse
from tests.prefect.house import SERVICE, House

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(300)]

_SECRET = "t0ken-nobody-may-see"  # noqa: S105 - a secret for a test
_MAKE_BLOCK = """\
import sys
from prefect.types import SecretDict
from blocks.environment_secrets import EnvironmentSecrets, name_block
block = EnvironmentSecrets(variables=SecretDict({"TINY_TOKEN": sys.argv[2]}))
block.save(name_block(sys.argv[1]), overwrite=True)
"""


def _make_block(house: House) -> None:
    script = house.folder / "make_block.py"
    script.write_text(_MAKE_BLOCK)
    made = house.start("block", str(script), house.environment, _SECRET, PYTHONPATH=":".join(filter(None, sys.path)))
    assert made.wait(timeout=60) == 0, house.log("block")


def _read_all(house: House, run: str) -> str:
    """Everything that the server tells of a run and of its blocks, as soon as its last task run has arrived."""
    ask_server, of_run = house.server.ask, {"flow_runs": {"id": {"any_": [run]}}}
    house.wait(
        lambda: any(
            each["name"].startswith("show-outcome") for each in ask_server("POST", "/task_runs/filter", of_run)
        ),
        "the task runs to arrive",
    )
    return json.dumps(
        [
            ask_server("POST", "/task_runs/filter", of_run),
            ask_server("POST", "/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}, "limit": 200}),
            ask_server("POST", "/block_documents/filter", {}),
            ask_server("GET", f"/flow_runs/{run}"),
        ]
    )


def test_a_secret_of_a_block_reaches_the_service_and_no_log_or_parameter(open_house_with: OpenHouse) -> None:
    with open_house_with(secrets='"TINY_TOKEN"') as house:
        house.serve("deploy")
        refused = house.order("deploy", service=SERVICE, version="1.1.0", strategy="instant")
        assert house.wait_ended(refused) == "FAILED"
        assert "TINY_TOKEN" in house.server.ask("GET", f"/flow_runs/{refused}")["state"]["message"]

        house.wait_closed()

        _make_block(house)
        run = house.order("deploy", service=SERVICE, version="1.1.0", strategy="instant")
        assert house.wait_ended(run) == "COMPLETED", house.log("serve-deploy")
        address = house.local().target.read_address(SERVICE)
        seen = json.loads(ask(address, "/environment").text)  # type: ignore[attr-defined]
        assert seen["TINY_TOKEN"] == _SECRET

        told = _read_all(house, run)
        assert name_block(house.environment) in told
        assert _SECRET not in told
        assert _SECRET not in house.log("serve-deploy")
        written = [file for file in (house.folder / ".switchover").rglob("*") if file.is_file()]
        assert not [file for file in written if _SECRET.encode() in file.read_bytes()]
