from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from blocks.flag_store import FlagStoreBlock
from switchover.flags.file_store import FileStore
from switchover.flags.redis_store import RedisStore


def test_a_block_builds_the_store_of_its_place(tmp_path: Path) -> None:
    assert isinstance(FlagStoreBlock(place=f"file:{tmp_path}/flags.json").build(), FileStore)
    store = FlagStoreBlock(place="redis://localhost:6379/0?set=shop", username="ops", password="p@ss/word").build()  # noqa: S106 - made up
    assert isinstance(store, RedisStore)


def test_the_password_reaches_the_place_and_nothing_that_is_shown() -> None:
    block = FlagStoreBlock(place="redis://localhost:6379/0?set=shop", username="ops", password="p@ss/word")  # noqa: S106 - made up
    assert block.write_place() == "redis://ops:p%40ss%2Fword@localhost:6379/0?set=shop"
    assert "p@ss" not in repr(block)
    assert "p@ss" not in json.dumps(block.model_dump(mode="json"))
    assert "p%40ss" not in repr(block.build())


def test_a_place_without_a_password_is_as_it_stands() -> None:
    assert FlagStoreBlock(place="redis://localhost/0?set=shop").write_place() == "redis://localhost/0?set=shop"


def test_a_password_in_the_place_is_refused() -> None:
    with pytest.raises(ValidationError, match="fields of their own"):
        FlagStoreBlock(place="redis://ops:secret@localhost/0?set=shop")
