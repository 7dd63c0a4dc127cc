"""What about the route objects of a service keeps a deployment from beginning. Each with what to change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from switchover.decide import canary_ingress, stable_service
from switchover.decide.colour_names import LABEL_COLOUR, colour_name
from switchover.decide.http_routes import (
    COLOUR_HEADER,
    backend_places,
    find_unaccepted,
    is_preview,
    minimal_route,
    rules_of,
    traffic_rules,
)
from switchover.decide.sticky_sessions import find_sticky_trouble
from switchover.errors import SwitchoverError
from switchover.model import WHOLE, Colour, Obstacle, Step

Json: TypeAlias = Mapping[str, Any]


def find_http_route_obstacles(route: Json | None, service: str, name: str, *, sticky: bool) -> tuple[Obstacle, ...]:
    """Of the HTTPRoute itself, without what its gateways say. Rules for a preview may be there or not."""
    if route is None:
        fix = f"create it, with both colours from the beginning:\n{minimal_route(service, name)}"
        return (Obstacle(f"HTTPRoute {name}", "a route of the service", "none of that name", fix),)
    # A rule for testers leads to the one colour that they name.
    found = [_lacking(rule, index, service, name) for index, rule in enumerate(rules_of(route)) if not is_preview(rule)]
    obstacles = [each for each in found if each is not None]
    if not traffic_rules(route, service) and not obstacles:
        fix = f"list both colours in the rule that is for the users:\n{minimal_route(service, name)}"
        obstacles.append(
            Obstacle(f"HTTPRoute {name}, spec.rules", f"{service}-blue and {service}-green", "neither", fix)
        )
    if sticky and (trouble := find_sticky_trouble(route, service)):
        fix = "take `sticky` out of the service's section, or the rule out of the route"
        obstacles.append(Obstacle(f"HTTPRoute {name}, spec.rules", "room for rules with cookies", trouble, fix))
    return tuple(obstacles)


def find_acceptance_obstacles(route: Json, *, complete: bool) -> tuple[Obstacle, ...]:
    """What its gateways say of the HTTPRoute.

    With `complete` both colours' Services are there, so its references must resolve; before, only it must be accepted.
    """
    generation = int(route["metadata"].get("generation", 0))
    name = route["metadata"].get("name")
    fix = "correct what the message names (`kubectl describe httproute` shows all of it)"
    return tuple(
        Obstacle(f"HTTPRoute {name}, status.parents", "Accepted and ResolvedRefs by every gateway", said, fix)
        for said in find_unaccepted(route, generation)
        if complete or "ResolvedRefs" not in said
    )


def find_gateway_obstacles(gateway: Json | None, place: str) -> tuple[Obstacle, ...]:
    """Of one Gateway that the route belongs to; `place` names it."""
    if gateway is None:
        fix = "create it, or correct spec.parentRefs of the HTTPRoute (name, namespace)"
        return (Obstacle(place, "the Gateway of the route", "none of that name", fix),)
    generation = gateway["metadata"].get("generation", 0)
    for condition in gateway.get("status", {}).get("conditions") or ():
        if condition.get("type") == "Programmed" and condition.get("observedGeneration", generation) >= generation:
            if condition.get("status") == "True":
                return ()
            said = f"{condition.get('status')} ({condition.get('reason')}): {condition.get('message')}"
            return (
                Obstacle(f"{place}, status.conditions[Programmed]", "True", said, "correct what the message names"),
            )
    fix = "check that a controller of its GatewayClass runs (`kubectl get gatewayclass`)"
    return (Obstacle(f"{place}, status.conditions[Programmed]", "True", "nobody has said anything about it", fix),)


def find_ingress_obstacles(
    primary: Json | None, canary: Json | None, service: str, name: str, *, sticky: bool
) -> tuple[Obstacle, ...]:
    """Of the two Ingresses of ingress-nginx."""
    names = (name, canary_ingress.canary_name(name))
    both = zip(names, (primary, canary), strict=True)
    fix = "create it; k8s/application/components/ingress-nginx has the pair"
    missing = [
        Obstacle(f"Ingress {each}", "an Ingress of the service", "none", fix) for each, obj in both if obj is None
    ]
    if primary is None or canary is None:
        return tuple(missing)
    return (
        *_colour_obstacles(primary, canary, service),
        *_annotation_obstacles(primary, canary),
        *_sticky_obstacles(f"Ingress {name}", sticky=sticky),
    )


def find_stable_service_obstacles(
    stable: Json | None, service: str, name: str, steps: tuple[Step, ...], *, sticky: bool
) -> tuple[Obstacle, ...]:
    """Of the Service whose selector is the route."""
    place = f"Service {name}, spec.selector"
    shares = [step.canary_percent for step in steps if step.canary_percent != WHOLE]
    obstacles = [*_sticky_obstacles(f"Service {name}", sticky=sticky)]
    if shares:
        fix = 'deploy with the strategy `instant`, or choose `route = "gateway"`'
        obstacles.append(Obstacle(place, "a strategy without a split", f"a step with {shares[0]} %", fix))
    if name in {colour_name(service, colour) for colour in Colour}:
        fix = "set `route` of the service to the name of a Service of its own"
        obstacles.append(Obstacle(f"Service {name}", "a Service that leads to either colour", "a colour's own", fix))
    elif stable is None:
        fix = f"create it with the selector switchover.dev/service: {service}, {LABEL_COLOUR}: blue"
        obstacles.append(Obstacle(f"Service {name}", "the Service that callers use", "none of that name", fix))
    elif stable_service.find_colour(stable) is None:
        said = str(stable.get("spec", {}).get("selector") or "no selector")
        fix = f"add the label {LABEL_COLOUR} of the colour that has the traffic"
        obstacles.append(Obstacle(place, "one colour", f"{said}, which matches both colours", fix))
    return tuple(obstacles)


def find_kind_obstacle(api_version: str, kind: str) -> Obstacle:
    """The cluster does not serve the kind of the route."""
    fix = f"install the custom resource definitions of {api_version.rpartition('/')[0]}, or choose another `route`"
    return Obstacle(f"the cluster's {kind}", f"{kind} of {api_version}", "a resource that it does not know", fix)


def find_naming_obstacle(place: str, found: str) -> Obstacle:
    """Probes cannot tell the colours apart."""
    fix = (
        f"let each backend of the route set the response header {COLOUR_HEADER} to its colour (a filter "
        "ResponseHeaderModifier of the backendRef), let the service itself send it, "
        'or set `confirm = "control plane"`'
    )
    return Obstacle(place, f"answers with the header {COLOUR_HEADER}", found, fix)


def find_reach_obstacle(place: str, error: SwitchoverError) -> Obstacle:
    """Probes do not get through."""
    fix = 'set `data_plane` to a host:port that reaches the gateway from here, or `confirm = "control plane"`'
    return Obstacle(place, "a gateway that probes can reach", error.problem.found, fix)


def _sticky_obstacles(place: str, *, sticky: bool) -> tuple[Obstacle, ...]:
    if not sticky:
        return ()
    fix = 'take `sticky` out of the service\'s section, or choose `route = "gateway"`'
    return (Obstacle(place, "a route that can lead users by a cookie of ours", "one that cannot", fix),)


def _lacking(rule: Json, index: int, service: str, name: str) -> Obstacle | None:
    listed = backend_places(rule, service)
    if len(listed) != 1:
        return None
    lacked = next(iter(listed)).other
    return Obstacle(
        f"HTTPRoute {name}, spec.rules[{index}].backendRefs",
        f"{service}-blue and {service}-green",
        f"no {service}-{lacked}",
        f"add {{name: {service}-{lacked}, port: …, weight: 0}}: a gateway that learns of a backend and its weight "
        "at once may answer 500 in between",
    )


def _colour_obstacles(primary: Json, canary: Json, service: str) -> tuple[Obstacle, ...]:
    colours = [canary_ingress.find_colour(each, service) for each in (primary, canary)]
    obstacles = [
        Obstacle(
            f"Ingress {each['metadata']['name']}, spec.rules",
            f"all paths at one colour, {service}-blue or {service}-green",
            "another backend, or both colours",
            "correct its backends",
        )
        for each, colour in zip((primary, canary), colours, strict=True)
        if colour is None
    ]
    if not obstacles and colours[0] is colours[1]:
        place, fix = f"Ingress {canary['metadata']['name']}, spec.rules", "let it lead to the other colour"
        obstacles.append(Obstacle(place, f"{service}-{Colour(str(colours[0])).other}", "the primary's colour", fix))
    return tuple(obstacles)


def _annotation_obstacles(primary: Json, canary: Json) -> tuple[Obstacle, ...]:
    wanted = ((canary, canary_ingress.CANARY, "true"), (primary, canary_ingress.SERVICE_UPSTREAM, "true"))
    obstacles = []
    for ingress, annotation, value in wanted:
        said = (ingress["metadata"].get("annotations") or {}).get(annotation, "nothing")
        if said != value:
            place = f"Ingress {ingress['metadata']['name']}, metadata.annotations[{annotation}]"
            obstacles.append(Obstacle(place, value, said, f'set it to "{value}"'))
    return tuple(obstacles)
