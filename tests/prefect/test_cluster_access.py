"""The block of Prefect Kubernetes that says where an environment's cluster is."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_kubernetes.credentials import KubernetesClusterConfig, KubernetesCredentials

from blocks.cluster_access import open_cluster_access
from switchover.adapters.kube_credentials import Credentials, credentials_from_file
from tests.prefect.server import PrefectServer

pytestmark = pytest.mark.prefect
NOBODY = "http://127.0.0.1:9/api"


def a_kubeconfig(token: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": f"https://{token}.example.org"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": token}}],
    }


def save(name: str, token: str) -> None:
    cluster = KubernetesClusterConfig(config=a_kubeconfig(token), context_name="here")
    KubernetesCredentials(cluster_config=cluster).save(name, overwrite=True)


def around(folder: Path) -> Credentials:
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(a_kubeconfig("from-a-file")))
    return credentials_from_file(str(path))


def test_a_saved_block_leads_to_its_cluster_and_is_read_again(prefect_server: PrefectServer, tmp_path: Path) -> None:
    with temporary_settings({PREFECT_API_URL: prefect_server.url}):
        save("switchover-kube-a", "old")
        credentials = open_cluster_access("switchover-kube-a", around(tmp_path))
        assert credentials().api_key["BearerToken"] == "Bearer old"
        save("switchover-kube-a", "new")
        assert credentials().host == "https://new.example.org"
    with temporary_settings({PREFECT_API_URL: NOBODY}):
        assert credentials().host == "https://new.example.org"


def test_without_a_block_or_a_server_what_is_known_otherwise_counts(
    prefect_server: PrefectServer, tmp_path: Path
) -> None:
    for url in (prefect_server.url, NOBODY):
        with temporary_settings({PREFECT_API_URL: url}):
            credentials = open_cluster_access("switchover-nobody-saved-it", around(tmp_path))
            assert credentials().host == "https://from-a-file.example.org"


def test_a_block_without_a_cluster_configuration_says_nothing(prefect_server: PrefectServer, tmp_path: Path) -> None:
    with temporary_settings({PREFECT_API_URL: prefect_server.url}):
        KubernetesCredentials().save("switchover-kube-b", overwrite=True)
        credentials = open_cluster_access("switchover-kube-b", around(tmp_path))
        assert credentials().host == "https://from-a-file.example.org"
