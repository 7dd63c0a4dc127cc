"""What the API server's answers mean to a caller. No message ever holds the data of a Secret."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from switchover.adapters.kube_kinds import NAMESPACE, SECRET, Kind
from switchover.errors import InputError, SwitchoverError, TargetError

_RIGHTS = {"apply": ("create", "patch"), "replace": ("update",), "read": ("get",), "read_log": ("get",)}
_LONGEST_MESSAGE = 600
_FORBIDDEN = 403
_SERVER_ERROR = 500
_MALFORMED = "failed to create typed patch object"


class KubeConflictError(TargetError):
    """The object is another one than was read: changed, made or deleted meanwhile. Reaction: read, decide, repeat."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as messages speak of it and as it is sent.

    `verb` is the method of `KubeApi`; `safe` says whether repeating it after a lost answer can do no harm.
    """

    verb: str
    method: str
    path: str
    kind: Kind
    namespace: str
    name: str = ""
    subresource: str = ""
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    content_type: str | None = "application/json"
    timeout_seconds: float | None = None
    safe: bool = False

    @property
    def proxied(self) -> bool:
        """Whether the answer is that of a service behind the API server."""
        return self.subresource == "proxy"

    def __str__(self) -> str:
        """What is done to which object, for a message."""
        where = f" in namespace {self.namespace}" if self.kind.namespaced else ""
        return f"{self.verb.replace('_', ' ')} {self.kind} {self.name}".rstrip() + where


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `body` as bytes, header names in lower case."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def status_object(self) -> dict[str, Any]:
        """The API server's `Status`; empty when the body is something else."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) and value.get("kind") == "Status" else {}


def explain(call: Call, answer: Answer) -> SwitchoverError:
    """The error that a refused call is."""
    otherwise = _unavailable if answer.status >= _SERVER_ERROR and not is_malformed(answer) else _refused
    return _BY_STATUS.get(answer.status, otherwise)(call, answer)


def is_malformed(answer: Answer) -> bool:
    """Whether this server error says that the object has fields which its kind does not know."""
    return answer.status == _SERVER_ERROR and _MALFORMED in _said(answer)


def is_denied(answer: Answer) -> bool:
    """Whether a right is missing, and not something else forbidden: a quota, an admission, an ending namespace."""
    return answer.status == _FORBIDDEN and 'User "' in _said(answer) and " cannot " in _said(answer)


def unreachable(call: Call, why: str) -> TargetError:
    """The error of a call that got no answer."""
    return TargetError(
        f"could not {call}",
        expected="an answer of the API server",
        found=why,
        next_step="check that the cluster is reachable (`kubectl version`), then repeat",
    )


def _said(answer: Answer) -> str:
    return str(answer.status_object().get("message", ""))


def _message(call: Call, answer: Answer) -> str:
    """The API server's own words; of a Secret only which fields it means."""
    status = answer.status_object()
    if call.kind is SECRET:
        causes = (status.get("details") or {}).get("causes") or []
        fields = ", ".join(str(cause.get("field")) for cause in causes if cause.get("field"))
        return f"HTTP {answer.status} {status.get('reason', '')}".rstrip() + (f" for {fields}" if fields else "")
    text = str(status.get("message") or answer.body[:_LONGEST_MESSAGE].decode(errors="replace"))
    return text[:_LONGEST_MESSAGE].strip() or f"HTTP {answer.status} without a message"


def _refused(call: Call, answer: Answer) -> SwitchoverError:
    return InputError(
        f"the API server refused to {call}",
        expected="an object that it accepts",
        found=_message(call, answer),
        next_step="correct what the message names; nothing was changed by this call",
    )


def _unauthorized(call: Call, answer: Answer) -> SwitchoverError:
    return TargetError(
        f"could not {call}",
        expected="credentials that the API server knows",
        found=f"{_message(call, answer)} (also after reading the credentials again)",
        next_step="renew the credentials (kubeconfig, service account token or Prefect block), then repeat",
    )


def _forbidden(call: Call, answer: Answer) -> SwitchoverError:
    resource = f"{call.kind.plural}/{call.subresource}" if call.subresource else call.kind.plural
    inside = call.kind.namespaced or call.kind is NAMESPACE
    place = f"namespace {call.namespace}" if inside else "the whole cluster"
    if not is_denied(answer):
        return _refused(call, answer)
    if '"system:anonymous"' in _said(answer):
        return _unauthorized(call, answer)
    verbs = _RIGHTS.get(call.verb, (call.verb,)) if call.verb != "ask_service" else _proxy_rights(call.method)
    grant = f'apiGroups: ["{call.kind.group}"], resources: ["{resource}"], verbs: {json.dumps(list(verbs))}'
    return InputError(
        f"not allowed to {call}",
        expected=f"the right to {' and '.join(verbs)} {resource} in {place}",
        found=_said(answer)[:_LONGEST_MESSAGE],  # names rights and never data
        next_step=f"grant the deployer's account a rule with {grant} in {place}",
    )


def _proxy_rights(method: str) -> tuple[str, ...]:
    return ({"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(method, "get"),)


def _missing(call: Call, answer: Answer) -> SwitchoverError:
    details = answer.status_object().get("details") or {}
    if not details.get("name"):
        return InputError(
            f"could not {call}",
            expected=f"a cluster that serves {call.kind.plural} of {call.kind.api_version}",
            found="the API server does not know that resource",
            next_step=f"install the custom resource definitions of {call.kind.group or call.kind.api_version}",
        )
    if details.get("kind") == "namespaces":
        return InputError(
            f"could not {call}",
            expected=f"the namespace {details['name']}",
            found="no such namespace",
            next_step=f"create it (`kubectl create namespace {details['name']}`) or correct `namespace`",
        )
    return _absent(call, answer)


def _absent(call: Call, answer: Answer) -> SwitchoverError:
    make = TargetError if call.proxied else KubeConflictError
    return make(
        f"could not {call}",
        expected="the object to be there",
        found=_message(call, answer),
        next_step="make it again, or look who deleted it",
    )


def _conflict(call: Call, answer: Answer) -> SwitchoverError:
    return KubeConflictError(
        f"could not {call}",
        expected="the object as it was read",
        found=_message(call, answer),
        next_step="read it again and repeat",
    )


def _invalid(call: Call, answer: Answer) -> SwitchoverError:
    causes = (answer.status_object().get("details") or {}).get("causes")
    # A `test` of a JSON patch that failed is answered with the status of an invalid object, but names no field.
    return _conflict(call, answer) if call.verb == "patch" and not causes else _refused(call, answer)


def _too_large(call: Call, answer: Answer) -> SwitchoverError:
    return InputError(
        f"could not {call}",
        expected="an object that the API server can store (about 1 MiB)",
        found=_message(call, answer),
        next_step="make the object smaller",
    )


def _unavailable(call: Call, answer: Answer) -> SwitchoverError:
    return TargetError(
        f"could not {call}",
        expected="an API server that answers",
        found=f"{_message(call, answer)} (HTTP {answer.status})",
        next_step="repeat when the API server is well again",
    )


_BY_STATUS = {
    401: _unauthorized,
    403: _forbidden,
    404: _missing,
    409: _conflict,
    413: _too_large,
    422: _invalid,
    429: _unavailable,
}
