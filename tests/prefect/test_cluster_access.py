"""The block of Prefect Kubernetes that says where an environment's cluster is."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE, temporary_settings
from prefect_kubernetes.credentials import KubernetesClusterConfig, KubernetesCredentials

from blocks.cluster_access import open_cluster_access
from switchover.adapters.kube_credentials import Credentials, credentials_from_file
from switchover.errors import TargetError
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


def save(name: str, token: str, server: PrefectServer) -> None:
    cluster = KubernetesClusterConfig(config=a_kubeconfig(token), context_name="here")
    with temporary_settings({PREFECT_API_URL: server.url}):
        KubernetesCredentials(cluster_config=cluster).save(name, overwrite=True)


def around(folder: Path) -> Credentials:
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(a_kubeconfig("from-a-file")))
    return credentials_from_file(str(path))


def test_a_saved_block_leads_to_its_cluster_and_is_read_again(prefect_server: PrefectServer, tmp_path: Path) -> None:
    with temporary_settings({PREFECT_API_URL: prefect_server.url}):
        save("switchover-kube-a", "old", prefect_server)
        credentials = open_cluster_access("switchover-kube-a", around(tmp_path), explicit=False)
        assert credentials().api_key["BearerToken"] == "Bearer old"
        save("switchover-kube-a", "new", prefect_server)
        assert credentials().host == "https://new.example.org"
    with temporary_settings({PREFECT_API_URL: NOBODY}):
        assert credentials().host == "https://new.example.org"


@pytest.mark.parametrize("explicit", [True, False])
def test_without_a_block_what_is_known_otherwise_counts(
    prefect_server: PrefectServer, tmp_path: Path, *, explicit: bool
) -> None:
    credentials = open_cluster_access("switchover-nobody-saved-it", around(tmp_path), explicit=explicit)
    for url in (prefect_server.url, NOBODY):  # what a server said is known when it is gone
        with temporary_settings({PREFECT_API_URL: url}):
            assert credentials().host == "https://from-a-file.example.org"


def test_without_a_server_only_a_cluster_that_is_named_counts(prefect_server: PrefectServer, tmp_path: Path) -> None:
    """A deploy must not end up in whatever cluster the surroundings of its process name."""
    named = open_cluster_access("switchover-nobody-saved-it", around(tmp_path), explicit=True)
    unnamed = open_cluster_access("switchover-nobody-saved-it", around(tmp_path), explicit=False)
    with temporary_settings({PREFECT_API_URL: NOBODY}):
        assert named().host == "https://from-a-file.example.org"
        with pytest.raises(TargetError, match=r"which cluster this is(?s:.*)start the Prefect server"):
            unnamed()
    with temporary_settings({PREFECT_API_URL: prefect_server.url}):
        assert unnamed().host == "https://from-a-file.example.org"


def test_a_block_that_cannot_be_used_is_not_taken_for_none(prefect_server: PrefectServer, tmp_path: Path) -> None:
    save("switchover-kube-c", "secret-token", prefect_server)
    blocks = "/block_types/slug/kubernetes-credentials/block_documents/name"
    document = prefect_server.ask("GET", f"{blocks}/switchover-kube-c")
    broken = {"data": {"cluster_config": {"config": "secret-token"}}, "merge_existing_data": False}
    prefect_server.ask("PATCH", f"/block_documents/{document['id']}", broken)
    with temporary_settings({PREFECT_API_URL: prefect_server.url}):
        credentials = open_cluster_access("switchover-kube-c", around(tmp_path), explicit=False)
        with pytest.raises(TargetError, match="which cluster this is") as caught:
            credentials()
    assert "secret-token" not in str(caught.value)


def test_where_no_server_is_named_what_is_known_otherwise_counts(tmp_path: Path) -> None:
    with temporary_settings({PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False}, restore_defaults={PREFECT_API_URL}):
        credentials = open_cluster_access("switchover-nobody-saved-it", around(tmp_path), explicit=False)
        assert credentials().host == "https://from-a-file.example.org"


def test_a_block_without_a_cluster_configuration_says_nothing(prefect_server: PrefectServer, tmp_path: Path) -> None:
    with temporary_settings({PREFECT_API_URL: prefect_server.url}):
        KubernetesCredentials().save("switchover-kube-b", overwrite=True)
        credentials = open_cluster_access("switchover-kube-b", around(tmp_path), explicit=False)
        assert credentials().host == "https://from-a-file.example.org"
