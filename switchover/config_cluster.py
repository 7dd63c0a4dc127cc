"""The tables of switchover.toml that only an environment on Kubernetes has, and what is migrated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from switchover.config_values import Seconds, Section, VariableName


class KubernetesServiceConfig(Section):
    """A service on Kubernetes: your own manifests, of which the second colour is derived; see docs/kubernetes.md."""

    manifests: str = Field(
        description="A YAML file, a folder of them, or a folder with a kustomization, relative to this file."
    )
    workload: str | None = Field(None, description="The Deployment in it that has two colours; the service's name.")
    container: str | None = Field(None, description="The container whose image is the release; the only one if absent.")
    image: Annotated[str, Field(pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+$")] = Field(
        description="The repository of its images; a version is a tag in it, and is run by digest."
    )
    port: str = Field("http", description="The name or the number of the container's port that gets the traffic.")


class MigrationsConfig(Section):
    """Commands that change what releases share, a database above all; see docs/kubernetes.md."""

    expand: list[str] | None = Field(
        None, min_length=1, description="Before the release starts; must suit the release that is live."
    )
    contract: list[str] | None = Field(
        None, min_length=1, description="After the colour before was stopped; removes what only that one needed."
    )
    down: list[str] | None = Field(
        None, min_length=1, description="Before an older release is brought back; takes `contract` and `expand` back."
    )
    irreversible: bool = Field(
        default=False, description="What it does cannot be taken back: going back takes an explicit word."
    )
    timeout_seconds: Seconds = Field(600.0, description="A migration that takes longer has failed.")


class PrometheusConfig(Section):
    """Where requests are counted, series by series.

    In a query {namespace}, {workload} (the colour's Service and Deployment), {route} and {budget} (the latency
    budget, in the preset's unit) are filled in.
    """

    url: str = Field(pattern=r"^https?://\S+$", description="The address of Prometheus or of what speaks its API.")
    preset: Literal["envoy", "ingress-nginx", "istio"] | None = Field(
        None, description="Queries that are known to fit; `envoy` is for gateways that are made of it."
    )
    requests: str | None = Field(None, description="A counter of all requests to a colour, instead of the preset's.")
    errors: str | None = Field(None, description="A counter of those that failed.")
    slow: str | None = Field(None, description="A counter of those that took longer than the latency budget.")
    throttled: str | None = Field(None, description="A gauge: more than 0 is a colour that wants more CPU than it may.")
    token_variable: VariableName | None = Field(
        None, description="The variable with a bearer token for it; it is a secret and stands in no file."
    )

    @model_validator(mode="after")
    def _counts_all(self) -> PrometheusConfig:
        missing = [name for name in ("requests", "errors", "slow") if getattr(self, name) is None]
        if self.preset is None and missing:
            msg = f"give a `preset`, or the queries `requests`, `errors` and `slow`; missing: {', '.join(missing)}"
            raise ValueError(msg)
        return self


class KubernetesConfig(Section):
    """The cluster of an environment, and how its traffic is moved and counted."""

    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")] = Field(
        description="Everything of this environment is in it, the ledger too."
    )
    kubeconfig: str | None = Field(
        None, description="Relative to this file; absent: as kubectl finds it, or in-cluster."
    )
    context: str | None = Field(None, description="A context of the kubeconfig; its current one if absent.")
    route: Literal["gateway", "ingress-nginx", "service"] = Field(
        "gateway",
        description="What moves the traffic: a Gateway API HTTPRoute, a canary Ingress, a Service's selector.",
    )
    data_plane: str | None = Field(
        None,
        description="host:port through which tagged probes see the split; absent: the address of the Gateway.",
    )
    confirm: Literal["probes", "control plane"] = Field(
        "probes", description="What a shift must be seen by; `control plane` where no probe can reach the gateway."
    )
    prometheus: PrometheusConfig | None = Field(
        None, description="What counts requests; without it only `instant` can be used, and only fixed rules judge."
    )
    signature_key: str | None = Field(
        None,
        description="A public key of cosign, relative to this file: only images that are signed with it come live.",
    )
    require_sbom: bool = Field(
        default=False, description="Beside the signature an SBOM must be attested with the same key."
    )

    @model_validator(mode="after")
    def _has_a_key_to_check_with(self) -> KubernetesConfig:
        if self.require_sbom and self.signature_key is None:
            msg = "`require_sbom` needs a `signature_key` to check the attestation with"
            raise ValueError(msg)
        return self
