"""The parts of GitHub's answers that a release reads. What else is in them may change as it likes."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from switchover.adapters.github_errors import unreadable
from switchover.operations.shared_places import ForgeRelease

COMPLETE = "uploaded"


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class Asset(_Answer):
    """A file of a release. It is there once its state is `uploaded`; servers before 2025 tell no digest."""

    id: int
    name: str
    state: str
    size: int
    digest: str | None = None

    def known_digest(self) -> str:
        """`sha256:…`, empty for one that is not completely there."""
        return (self.digest or "") if self.state == COMPLETE else ""


class Page(_Answer):
    """A release."""

    id: int
    tag_name: str
    draft: bool
    prerelease: bool
    html_url: str
    upload_url: str
    name: str | None = None
    body: str | None = None
    assets: list[Asset] = []

    def text(self) -> str:
        """The body with the line ends of this system."""
        return (self.body or "").replace("\r\n", "\n")

    def to_release(self) -> ForgeRelease:
        """As the port knows it."""
        assets = {asset.name: asset.known_digest() for asset in self.assets}
        return ForgeRelease(self.id, self.tag_name, self.draft, self.html_url, assets)


class Branch(_Answer):
    """One end of a pull request."""

    ref: str


class PullRequest(_Answer):
    """A pull request."""

    number: int
    html_url: str
    title: str
    head: Branch
    base: Branch
    body: str | None = None


class Receipt(_Answer):
    """What GitHub gives for findings that it has taken, and will read later."""

    id: str


Shape = TypeVar("Shape", bound=_Answer)


def take(shape: type[Shape], value: Any, doing: str) -> Shape:
    """The value in that shape; `TargetError` when it has another."""
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise unreadable(doing, f"{where or shape.__name__}: {first['msg']}") from None
