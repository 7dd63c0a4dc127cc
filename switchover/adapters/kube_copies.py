"""Immutable copies of ConfigMaps and Secrets: what a release saw goes back together with its pods."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from contextlib import suppress
from itertools import islice

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_fence import KubeFence
from switchover.adapters.kube_kinds import CONFIG_MAP, SECRET, KubeObject, name_of
from switchover.adapters.kube_names import label_value
from switchover.decide.colour_names import ANNOTATION_SOURCE, LABEL_COPY, LABEL_MANAGED_BY, MANAGED_BY, copy_name
from switchover.decide.config_references import Reference
from switchover.decide.kube_values import mapping_at
from switchover.errors import InputError
from switchover.model import ConfigCopy, Obstacle

_KINDS = {kind.kind: kind for kind in (CONFIG_MAP, SECRET)}
_MOST_LOOKED_UP = 200
_CONTENT = ("data", "binaryData", "type")


class KubeCopies:
    """A copy's name is made of environment, source and content, so the same content is copied once."""

    def __init__(self, api: KubeApi, fence: KubeFence, environment: str) -> None:
        self._api = api
        self._fence = fence
        self._environment = environment

    def resolve(self, references: Iterable[Reference]) -> tuple[tuple[ConfigCopy, ...], tuple[Obstacle, ...]]:
        """The copies that pods with these references need now, and an obstacle for each that is not there.

        Changes nothing. What is optional and not there is not copied.
        """
        copies, obstacles = [], []
        for reference in references:
            source = self._api.read(_KINDS[reference.kind], reference.name)
            if source is not None:
                copies.append(ConfigCopy(reference.kind, reference.name, self._name(source)))
            elif not reference.optional:
                obstacles.append(_not_there(reference, self._api.namespace))
        return tuple(copies), tuple(obstacles)

    def ensure(self, copies: Iterable[ConfigCopy], *, epoch: int) -> None:
        """Let all of them be there; one that is there is as it was made, for it is immutable.

        Raises `InputError` when one is missing and its source is gone or has other content by now.
        """
        for copy in copies:
            kind = _KINDS[copy.kind]
            if self._api.read(kind, copy.name) is None:
                source = self._api.read(kind, copy.source)
                if source is None or self._name(source) != copy.name:
                    lost = _lost(copy, source, self._api.namespace)
                    raise InputError(lost.place, expected=lost.expected, found=lost.found, next_step=lost.fix)
                self._fence.apply(self._copy(copy, source), epoch)

    def find_lost(self, copies: Iterable[ConfigCopy]) -> tuple[Obstacle, ...]:
        """Those that `ensure` would refuse. Changes nothing."""
        missing = (each for each in copies if self._api.read(_KINDS[each.kind], each.name) is None)
        return tuple(
            _lost(each, source, self._api.namespace)
            for each in missing
            for source in [self._api.read(_KINDS[each.kind], each.source)]
            if source is None or self._name(source) != each.name
        )

    def prune(self, unneeded: Iterable[ConfigCopy], *, epoch: int, most: int = 20) -> tuple[str, ...]:
        """Delete up to `most` of these copies that are there, and return their names.

        Only by name, so nobody needs the right to list Secrets; and only what is a copy of this environment. What may
        not be deleted, or not be looked at, stays without a word: many deployers have no right to delete Secrets.
        Most of the history's copies are long gone, so only the first of what is given is looked up.
        """
        gone: list[str] = []
        for copy in islice(unneeded, _MOST_LOOKED_UP):
            if len(gone) == most:
                break
            with suppress(InputError):
                if self._is_own(self._api.read(_KINDS[copy.kind], copy.name)):
                    self._fence.delete(_KINDS[copy.kind], copy.name, epoch)
                    gone.append(copy.name)
        return tuple(gone)

    def _is_own(self, present: KubeObject | None) -> bool:
        return present is not None and self._labels().items() <= mapping_at(present, "metadata", "labels").items()

    def find_changed(self, documents: Iterable[KubeObject], names: Collection[str]) -> tuple[Obstacle, ...]:
        """ConfigMaps in the user's manifests, of these names, that the cluster has with other content.

        Secrets are not compared: what stands for them in manifests is seldom the real thing.
        """
        return tuple(
            _changed(name_of(each))
            for each in documents
            if each.get("kind") == CONFIG_MAP.kind and name_of(each) in names
            if (there := self._api.read(CONFIG_MAP, name_of(each))) is not None
            if any((there.get(field) or {}) != (each.get(field) or {}) for field in ("data", "binaryData"))
        )

    def _labels(self) -> dict[str, str]:
        return {LABEL_COPY: label_value(self._environment), LABEL_MANAGED_BY: MANAGED_BY}

    def _name(self, source: KubeObject) -> str:
        content: KubeObject = {field: source[field] for field in _CONTENT if source.get(field)}
        if source.get("kind") == SECRET.kind:
            content["uid"] = source["metadata"]["uid"]  # a name must not tell whether two secrets are the same
        said = json.dumps([self._environment, content], sort_keys=True)
        return copy_name(name_of(source), said.encode())

    def _copy(self, copy: ConfigCopy, source: KubeObject) -> KubeObject:
        return {
            "apiVersion": "v1",
            "kind": copy.kind,
            "metadata": {
                "name": copy.name,
                "labels": self._labels(),
                "annotations": {ANNOTATION_SOURCE: copy.source},
            },
            "immutable": True,
            **{field: source[field] for field in _CONTENT if source.get(field)},
        }


def _not_there(reference: Reference, namespace: str) -> Obstacle:
    return Obstacle(
        f"{reference.kind} {reference.name}",
        expected=f"it in namespace {namespace}, because the pods refer to it",
        found="no such object",
        fix="apply it, or let the reference be `optional: true`",
    )


def _changed(name: str) -> Obstacle:
    return Obstacle(
        f"{CONFIG_MAP} {name}, data",
        expected="the same in the cluster as in the manifests: pods get a copy of what is in the cluster",
        found="other content in the cluster",
        fix="apply it, or take it out of the manifests",
    )


def _lost(copy: ConfigCopy, source: KubeObject | None, namespace: str) -> Obstacle:
    found = f"neither it nor the {copy.kind} {copy.source} that it is a copy of"
    if source is not None:
        found = f"no copy, and {copy.kind} {copy.source} has other content by now"
    return Obstacle(
        f"the release needs {copy.kind} {copy.name}, and it cannot be made",
        expected=f"the copy in namespace {namespace}, or its source as it was when the deployment was planned",
        found=found,
        fix=f"bring {copy.kind} {copy.source} back as it was, or deploy anew with what is there now",
    )
