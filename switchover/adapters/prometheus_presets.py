"""The queries for the gateways that we know, as data.

`requests` counts every user who was answered, once: also with the gateway's own 503 where a colour has no endpoint or
its endpoint refuses, which is an error, and however often the gateway tried. What a gateway cannot tell us:

- Its counters know no headers, so the probes that confirm a shift are counted like users.
- `envoy`: an answer that breaks off after its status line counts as good, and who gives up is not counted at all.
- `ingress-nginx` counts an answer that breaks off as good too; who gives up has status 499, which is no error.
- `istio` counts who gives up as a request without an error.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

from switchover.adapters.prometheus_queries import QuerySet
from switchover.config_cluster import PrometheusConfig

Preset = Literal["envoy", "ingress-nginx", "istio"]


def choose_queries(config: PrometheusConfig) -> QuerySet:
    """The preset's queries, with the user's own instead where there are any."""
    queries = PRESETS[config.preset] if config.preset else _NONE
    if config.requests is not None:
        # Of a selector this is the time of its last sample, of anything else the time of the question.
        queries = replace(queries, requests=config.requests, taken=f"timestamp({config.requests})")
    if config.errors is not None:
        queries = replace(queries, errors=config.errors)
    if config.slow is not None:
        queries = replace(queries, slow=config.slow, bounds=())
    if config.throttled is not None:
        queries = replace(queries, throttled=config.throttled)
    return queries


def _select(metric: str, *matchers: str) -> str:
    return metric + "{" + ",".join(matchers) + "}"


def _total(*selectors: str) -> str:
    """Per process that counts, the sum over what any of these selects; a series that two of them select once."""
    return f"sum by (job, instance, namespace, pod) ({' or '.join(selectors)})"


def _taken(*selectors: str) -> str:
    return " or ".join(f"timestamp({one})" for one in selectors)


# --- throttling, from the kubelets' cAdvisor ----------------------------------------------------------

_PODS = (
    'namespace="{namespace}"',
    'pod=~"{workload}-[a-z0-9]{1,10}-[a-z0-9]{5}"',
    'container!=""',
)
_HELD_BACK = _select("container_cpu_cfs_throttled_periods_total", *_PODS)
_PERIODS = _select("container_cpu_cfs_periods_total", *_PODS)
# More than a quarter of a container's scheduling periods in two minutes, the same share as for containers on one
# machine. Only for what has run for longer than that: programs take all the CPU they get while they start.
_THROTTLED = (
    f"max by (pod) (sum by (pod, container) (increase({_HELD_BACK}[2m])) "
    f"/ sum by (pod, container) (increase({_PERIODS}[2m])) and on (pod, container) {_PERIODS} offset 2m) > bool 0.25"
)
_NONE = QuerySet(requests="", errors="", slow="", taken="", throttled=_THROTTLED)

# --- Envoy: Contour, and Envoy Gateway with `mergeBackends` (without it both colours are one cluster) -------

_CLUSTER = 'envoy_cluster_name=~"{namespace}_{workload}_[0-9]+|service/{namespace}/{workload}/[0-9]+(/.*)?"'
_TIMES = "envoy_cluster_upstream_rq_time"
_ALL_TIMES = _total(_select(f"{_TIMES}_count", _CLUSTER))
_WITHIN_BOUND = _total(_select(f"{_TIMES}_bucket", _CLUSTER, 'le=~"{bound}"'))
# In no histogram is a request that Envoy gave up waiting for. Its counter is there from the first moment of a cluster,
# all others, and the histogram, appear with the first request.
_TIMED_OUT = _select("envoy_cluster_upstream_rq_timeout", _CLUSTER)
_ENVOY = QuerySet(
    # Not `upstream_rq_total`: it misses requests that found no endpoint, and counts each retry.
    requests=_total(_select("envoy_cluster_upstream_rq_completed", _CLUSTER)),
    errors=_total(_select("envoy_cluster_upstream_rq_xx", _CLUSTER, 'envoy_response_code_class="5"')),
    slow=f"{_total(_TIMED_OUT)} + (({_ALL_TIMES} - {_WITHIN_BOUND}) or (0 * {_total(_TIMED_OUT)} unless {_ALL_TIMES}))",
    taken=_taken(_TIMED_OUT),
    throttled=_THROTTLED,
    bounds=(0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000),
)

# --- ingress-nginx: what the canary Ingress took has its upstream in `canary`, else `service` says who answered -----

_MAIN = 'canary=~"|-"'
_CANARY = 'canary=~"{namespace}-{workload}-[a-z0-9-]+"'
# Whether a scrape keeps the controller's own labels or renames them is up to the scrape configuration.
_NGINX_WAYS = (
    ('namespace="{namespace}"', 'service="{workload}"', _MAIN),
    ('exported_namespace="{namespace}"', 'service="{workload}"', _MAIN),
    ('exported_namespace="{namespace}"', 'exported_service="{workload}"', _MAIN),
    ('namespace="{namespace}"', _CANARY),
    ('exported_namespace="{namespace}"', _CANARY),
)


def _nginx(metric: str, *matchers: str) -> tuple[str, ...]:
    return tuple(_select(f"nginx_ingress_controller_{metric}", *way, *matchers) for way in _NGINX_WAYS)


_NGINX = QuerySet(
    requests=_total(*_nginx("requests")),
    errors=_total(*_nginx("requests", 'status=~"5.."')),
    slow=f"{_total(*_nginx('request_duration_seconds_count'))} - "
    + _total(*_nginx("request_duration_seconds_bucket", 'le=~"{bound}"')),
    taken=_taken(*_nginx("requests")),
    throttled=_THROTTLED,
    unit=1000.0,
    bounds=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

# --- Istio: as the gateway (or a caller's sidecar) saw it, because a colour without a pod reports nothing itself ----

_SERVICE = (
    'reporter="source"',
    'destination_service_namespace="{namespace}"',
    'destination_service_name="{workload}"',
)
_BROKEN = 'response_flags=~"(.*,)?(LR|UR|UC|UF|UT|UH|UO|UPE|UMSDR|NC)(,.*)?"'
_DURATION = "istio_request_duration_milliseconds"
_ISTIO = QuerySet(
    requests=_total(_select("istio_requests_total", *_SERVICE)),
    errors=_total(
        _select("istio_requests_total", *_SERVICE, 'response_code=~"5.."'),
        _select("istio_requests_total", *_SERVICE, _BROKEN),
    ),
    slow=f"{_total(_select(f'{_DURATION}_count', *_SERVICE))} - "
    + _total(_select(f"{_DURATION}_bucket", *_SERVICE, 'le=~"{bound}"')),
    taken=_taken(_select("istio_requests_total", *_SERVICE)),
    throttled=_THROTTLED,
    bounds=_ENVOY.bounds,
)

PRESETS: Final[dict[Preset, QuerySet]] = {"envoy": _ENVOY, "ingress-nginx": _NGINX, "istio": _ISTIO}
