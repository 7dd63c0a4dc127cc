"""How Envoy counts the requests of users, as values: nothing here reads or writes.

Requests are counted by access loggers of the public listener only, so probes and health checks never appear:
`users.<service>.{requests,errors,slow}`, with the cluster as a tag. An error is a 5xx, or an answer that broke
off after it began. Slow is a request that took its colour's latency budget or longer, also when its user gave up.
"""

from __future__ import annotations

from typing import Any

_TYPE = "type.googleapis.com/"
_BROKEN_ANSWERS = ["LR", "UR", "UC", "UF", "UT", "UH", "UO", "UPE", "UMSDR", "NC"]
# Only until the runtime value is read: the listener must not change with the budget, that would drain it.
_DEFAULT_BUDGET_MS = 500

Json = dict[str, Any]


def render_counters(service: str, clusters: tuple[str, ...]) -> list[Json]:
    """The access loggers of a service's public listener; `clusters` are those of its colours."""
    failed = {"status_code_filter": {"comparison": _at_least(500, "switchover.error_status")}}
    broken = {"response_flag_filter": {"flags": _BROKEN_ANSWERS}}
    return [
        _counter(service, "requests"),
        _counter(service, "errors") | {"filter": {"or_filter": {"filters": [failed, broken]}}},
        *(_counter(service, "slow") | {"filter": _slow(cluster)} for cluster in clusters),
    ]


def budget_key(cluster: str) -> str:
    """The runtime value that holds a colour's latency budget in milliseconds."""
    return f"switchover.{cluster}.latency_budget_ms"


def _slow(cluster: str) -> Json:
    # Each colour has its own budget: that of a canary must not be applied to the live colour.
    duration = {"duration_filter": {"comparison": _at_least(_DEFAULT_BUDGET_MS, budget_key(cluster))}}
    of_cluster = {
        "name": "envoy.access_loggers.extension_filters.cel",
        "typed_config": {
            "@type": _TYPE + "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
            "expression": f"xds.cluster_name == '{cluster}'",
        },
    }
    return {"and_filter": {"filters": [duration, {"extension_filter": of_cluster}]}}


def _at_least(value: int, runtime_key: str) -> Json:
    return {"op": "GE", "value": {"default_value": value, "runtime_key": runtime_key}}


def _counter(service: str, name: str) -> Json:
    tag = {"name": "cluster", "value_format": "%UPSTREAM_CLUSTER_RAW%"}
    return {
        "name": "envoy.access_loggers.stats",
        "typed_config": {
            "@type": _TYPE + "envoy.extensions.access_loggers.stats.v3.Config",
            "stats_scope": {"prefix": f"users.{service}"},
            "counters": [{"stat": {"name": name, "tags": [tag]}, "value_fixed": 1}],
        },
    }
