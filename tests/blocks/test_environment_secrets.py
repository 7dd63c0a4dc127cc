from __future__ import annotations

import pytest
from prefect.types import SecretDict
from pydantic import SecretStr

from blocks.environment_secrets import EnvironmentSecrets

_VARIABLE = "SWITCHOVER_WEBHOOK_URL"


def test_a_block_adds_its_variables_and_the_address_and_keeps_the_rest() -> None:
    block = EnvironmentSecrets(
        variables=SecretDict({"TOKEN": "t0ken"}), webhook_address=SecretStr("https://example.org/hook")
    )
    merged = block.merge_into({"PATH": "/bin", "TOKEN": "older"}, _VARIABLE)
    assert merged == {"PATH": "/bin", "TOKEN": "t0ken", _VARIABLE: "https://example.org/hook"}


def test_a_variable_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="is a text"):
        EnvironmentSecrets(variables=SecretDict({"RETRIES": 3}))


def test_an_empty_block_changes_nothing() -> None:
    assert EnvironmentSecrets().merge_into({_VARIABLE: "https://example.org"}, _VARIABLE) == {
        _VARIABLE: "https://example.org"
    }


def test_a_block_shows_no_secret() -> None:
    block = EnvironmentSecrets(variables=SecretDict({"TOKEN": "t0ken"}), webhook_address=SecretStr("https://h00k"))
    for shown in (repr(block), str(block), str(block.model_dump()), block.model_dump_json()):
        assert "t0ken" not in shown
        assert "h00k" not in shown
