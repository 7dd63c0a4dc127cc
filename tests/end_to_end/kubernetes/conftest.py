from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.end_to_end.kubernetes.cluster import NoClusterError, TestCluster, find_cluster
from tests.end_to_end.kubernetes.project import Shop, new_shop

NewShop = Callable[..., Shop]


@pytest.fixture(scope="session")
def cluster() -> TestCluster:
    """The cluster that this runs in, or a skip that says why there is none."""
    try:
        return find_cluster()
    except NoClusterError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def make_shop(cluster: TestCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewShop]:
    """Shops in namespaces of their own; the settings are those of `new_shop`."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(new_shop(cluster, tmp_path_factory.mktemp("shop"), **settings))
