"""Who we are to a cluster: a callable that reads it afresh, so that credentials which ran out can be renewed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.config import ConfigException
from kubernetes_asyncio.config.incluster_config import (
    SERVICE_CERT_FILENAME,
    SERVICE_HOST_ENV_NAME,
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)
from kubernetes_asyncio.config.kube_config import load_kube_config, load_kube_config_from_dict

from switchover.adapters.kube_loop import run_coroutine
from switchover.errors import InputError

Credentials = Callable[[], Configuration]
"""Reads address, trust and credentials of a cluster now; raises `InputError` when that cannot be done."""

_LOAD_SECONDS = 30.0  # a program of the kubeconfig may ask an identity provider
_TROUBLE = (ConfigException, OSError, yaml.YAMLError, AssertionError, AttributeError, KeyError, TypeError, ValueError)


def choose_credentials(kubeconfig: Path | None, context: str | None, environ: Mapping[str, str]) -> Credentials:
    """Those of the kubeconfig that is named, else those that the process finds around it."""
    return (
        credentials_from_file(str(kubeconfig), context)
        if kubeconfig
        else credentials_from_environment(environ, context)
    )


def credentials_from_file(path: str | None = None, context: str | None = None) -> Credentials:
    """Those of a kubeconfig (several, joined with `:`, are merged) and its context; None: its current one."""

    def read() -> Configuration:
        place = str(Path(path or "~/.kube/config").expanduser())
        missing = [each for each in place.split(":") if each and not Path(each).is_file()]
        if missing and len(missing) == len(place.split(":")):
            raise _unusable(f"the kubeconfig {place}", "no such file")
        return _load(f"the kubeconfig {place}", context, lambda into: load_kube_config(place, context, into))

    return read


def credentials_from_document(document: Mapping[str, Any], context: str | None = None) -> Credentials:
    """Those of a kubeconfig's content, as a Prefect block holds it."""

    def read() -> Configuration:
        return _load(
            "the kubeconfig handed in",
            context,
            lambda into: load_kube_config_from_dict(dict(document), context, into),
        )

    return read


def credentials_from_environment(environ: Mapping[str, str], context: str | None = None) -> Credentials:
    """Those that a program finds around it: of the pod that it runs in, else `KUBECONFIG`, else `~/.kube/config`.

    A named `context` is never that of the pod.
    """
    if SERVICE_HOST_ENV_NAME in environ and "KUBECONFIG" not in environ and context is None:
        return _of_this_pod(environ)
    return credentials_from_file(environ.get("KUBECONFIG"), context)


def _of_this_pod(environ: Mapping[str, str]) -> Credentials:
    def read() -> Configuration:
        configuration = Configuration()
        try:
            loader = InClusterConfigLoader(SERVICE_TOKEN_FILENAME, SERVICE_CERT_FILENAME, environ=dict(environ))
            loader.load_and_set(configuration)
        except _TROUBLE as error:
            raise _unusable("the pod's service account", str(error)) from None
        return configuration

    return read


def _load(what: str, context: str | None, load: Callable[[Configuration], Awaitable[object]]) -> Configuration:
    configuration = Configuration()

    async def await_it() -> None:
        await load(configuration)

    try:
        run_coroutine(await_it(), _LOAD_SECONDS)
    except TimeoutError:
        raise _unusable(what, f"its credentials were not there within {_LOAD_SECONDS:.0f} s") from None
    except _TROUBLE as error:
        raise _unusable(what + (f", context {context}" if context else ""), str(error) or repr(error)) from None
    return configuration


def _unusable(what: str, why: str) -> InputError:
    return InputError(
        f"{what} cannot be used",
        expected="an address of a cluster and credentials for it",
        found=why.splitlines()[0],
        next_step="check it with `kubectl config view`, or name another kubeconfig or context",
    )
