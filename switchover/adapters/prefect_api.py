"""The little of Prefect's HTTP API that works without Prefect: is it there, and 'this happened'.

Importing Prefect takes seconds, and a rollback must not wait for it.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class PrefectApi:
    """One server's API, for example `http://127.0.0.1:4200/api`. `authorization` is a secret and never shown."""

    url: str
    authorization: str = ""

    def find_trouble(self, within_seconds: float) -> str:
        """Why the server cannot be used, in a few words; empty when it answers `/health` in time."""
        return self._ask("GET", "/health", None, within_seconds)

    def report(self, event: dict[str, Any], within_seconds: float) -> str:
        """Post one event; return why it was not taken, empty when it was. Never raises, never takes longer."""
        return self._ask("POST", "/events", [event], within_seconds)

    def _ask(self, method: str, path: str, body: object, within_seconds: float) -> str:
        # Looking a name up knows no timeout; a thread that is left behind does not hold anybody up.
        answer: list[str] = []
        asking = threading.Thread(
            target=lambda: answer.append(self._request(method, path, body, within_seconds)), daemon=True
        )
        asking.start()
        asking.join(within_seconds)
        return answer[0] if answer else f"no answer from {self._server()} within {within_seconds:.0f} s"

    def _request(self, method: str, path: str, body: object, timeout_seconds: float) -> str:
        headers = {"Content-Type": "application/json"}
        if self.authorization:
            headers["Authorization"] = self.authorization
        try:
            parts = urlsplit(self.url)
            kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
            connection = kind(parts.hostname or "", parts.port, timeout=timeout_seconds)
            try:
                payload = None if body is None else json.dumps(body)
                connection.request(method, parts.path.rstrip("/") + path, payload, headers)
                status = connection.getresponse().status
            finally:
                connection.close()
        except ConnectionRefusedError:
            return f"nobody answers at {self._server()}"
        except socket.gaierror:
            return f"there is no such host as that of {self._server()}"
        except TimeoutError:
            return f"no answer from {self._server()} within {timeout_seconds:.0f} s"
        except (OSError, ValueError, http.client.HTTPException) as error:
            return f"{self._server()} cannot be asked: {error or type(error).__name__}"
        return "" if status in _OK else f"{self._server()} answered with status {status}"

    def _server(self) -> str:
        """The address without what may be secret in it."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else self.url


def find_prefect_api(environ: Mapping[str, str]) -> PrefectApi | None:
    """The API that `PREFECT_API_URL` or the active profile names; None when neither does."""
    settings = {**_read_profile(environ), **environ}
    url = settings.get("PREFECT_API_URL", "")
    return PrefectApi(url.rstrip("/"), _authorization(settings)) if url else None


def _authorization(settings: Mapping[str, str]) -> str:
    if key := settings.get("PREFECT_API_KEY"):
        return f"Bearer {key}"
    if pair := settings.get("PREFECT_API_AUTH_STRING"):
        return "Basic " + base64.b64encode(pair.encode()).decode()
    return ""


def _read_profile(environ: Mapping[str, str]) -> dict[str, str]:
    home = Path(environ.get("PREFECT_HOME") or Path(environ.get("HOME", "")) / ".prefect").expanduser()
    file = Path(environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml").expanduser()
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # no profiles, or none that Prefect itself could read
    name = environ.get("PREFECT_PROFILE") or document.get("active", "")
    profile = document.get("profiles", {}).get(name, {})
    return {key: str(value) for key, value in profile.items()}
