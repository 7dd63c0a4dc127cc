"""What runs side by side ends together: a failure is raised when nothing runs any more."""

from __future__ import annotations

from typing import TypeVar

from prefect.futures import PrefectFutureList

_T = TypeVar("_T")


def gather(futures: PrefectFutureList[_T]) -> list[_T]:
    """The results in their order; of failures the first, once all have ended."""
    futures.wait()
    return futures.result()
