"""What an emulated API server says when it says no, by itself or because a test told it to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from switchover.adapters.kube_kinds import KubeObject


class Refused(Exception):  # noqa: N818 a word of the API server, not a failure of ours
    """An answer that is no success, as a `Status`."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.status: KubeObject = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "details": details,
            "code": code,
        }


@dataclass(slots=True)
class Fault:
    """Answers `times` calls (None: all) of this method and a path that contains `path` with `status`.

    Status 0: only the delay, then as usual.
    """

    status: int
    method: str = ""
    path: str = ""
    times: int | None = 1
    message: str = "told to fail"
    reason: str = "InternalError"
    delay_seconds: float = 0.0
    after: bool = False
    """Only the answer is lost: the call has its effect."""

    def meets(self, method: str, path: str) -> bool:
        return self.times != 0 and self.method in ("", method) and self.path in path

    def use(self) -> None:
        self.times = None if self.times is None else self.times - 1
