"""Files on a release page, brought there so that whoever comes after a killed upload finishes it."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from switchover.adapters.github_answers import COMPLETE, Asset, Page, take
from switchover.adapters.github_client import PAGE_SIZE, GithubClient
from switchover.adapters.github_errors import NOT_FOUND, UNPROCESSABLE, Refusal
from switchover.decide.outcome import Done, Outcome, Skipped
from switchover.errors import InputError, TargetError

STAGE = "upload"
# GitHub renames a file with other characters, and a re-run would look for it in vain.
_KEPT_NAME = re.compile(r"[A-Za-z0-9_+-]([A-Za-z0-9._+-]*[A-Za-z0-9_+-])?")
_MOST_PAGES = 10
_ATTEMPTS = 2
# Without the lists of this machine, so that a file has one type everywhere.
_TYPES = mimetypes.MimeTypes()


@dataclass(frozen=True, slots=True)
class Content:
    """A file to upload: where it lies, and what must arrive."""

    path: Path
    digest: str
    size_bytes: int

    @property
    def name(self) -> str:
        """What it is called on the page too."""
        return self.path.name


def measure(file: Path) -> Content:
    """Read the file once; `InputError` for a name that GitHub would change."""
    if not _KEPT_NAME.fullmatch(file.name):
        raise InputError(
            f"{file.name!r} cannot be the name of a file on a release page",
            expected="letters, digits, `-`, `_`, `+`, and dots inside",
            found="a name that GitHub would change",
            next_step="name the file otherwise",
        )
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        return Content(file, f"sha256:{digest}", opened.tell())


def upload(client: GithubClient, page: Page, content: Content) -> Outcome:
    """Have the file among the page's assets; what is there of it decides, and is asked for anew."""
    for _ in range(_ATTEMPTS):
        asset = _find(client, page, content.name)
        if asset is not None:
            if asset.known_digest() == content.digest:
                return Skipped(STAGE, f"{content.name} is there already")
            _make_room(client, page, asset, content)
        sent = _send(client, page, content)
        if sent is not None:
            _check_arrival(sent, content)
            return Done(STAGE, content.name)
    raise TargetError(
        f"{content.name} cannot be put on the release {page.tag_name}",
        expected="room for it, or the file itself",
        found="GitHub says that it is there, and does not list it",
        next_step="see that nobody else uploads to this release, then repeat",
    )


def _find(client: GithubClient, page: Page, name: str) -> Asset | None:
    doing = f"list the files of the release {page.tag_name}"
    entries = client.ask_pages(
        doing,
        lambda github, number: github.rest.repos.list_release_assets(
            client.owner, client.name, page.id, per_page=PAGE_SIZE, page=number
        ),
        _MOST_PAGES,
    )
    assets = (take(Asset, entry, doing) for entry in entries)
    return next((asset for asset in assets if asset.name == name), None)


def _make_room(client: GithubClient, page: Page, asset: Asset, content: Content) -> None:
    if asset.state == COMPLETE and not page.draft:
        raise InputError(
            f"{content.name} of the published release {page.tag_name} has other bytes",
            expected=content.digest,
            found=asset.digest or f"a file of {asset.size} bytes whose digest this GitHub does not tell",
            next_step="release a new version; what people may have downloaded is not replaced",
        )
    client.ask(
        f"delete {asset.name} of the release {page.tag_name}",
        lambda github: github.rest.repos.delete_release_asset(client.owner, client.name, asset.id),
        allow=(NOT_FOUND,),
    )


def _send(client: GithubClient, page: Page, content: Content) -> Asset | None:
    doing = f"upload {content.name} to the release {page.tag_name}"
    address = client.check_encrypted(doing, page.upload_url.partition("{")[0])
    kind, encoding = _TYPES.guess_type(content.name)
    media_type = f"application/{encoding}" if encoding else kind or "application/octet-stream"
    with content.path.open("rb") as opened:
        # httpx sends a file piece by piece and with its length; githubkit's types do not know that.
        stream: Any = opened
        answer = client.ask(
            doing,
            lambda github: github.request(
                "POST",
                address,
                params={"name": content.name},
                content=stream,
                headers={"Content-Type": media_type},
            ),
            allow=(UNPROCESSABLE,),
        )
    if not isinstance(answer, Refusal):
        return take(Asset, answer, doing)
    if "already_exists" in answer.codes:
        return None
    raise client.refuse(doing, answer)


def _check_arrival(asset: Asset, content: Content) -> None:
    arrived = (asset.name, asset.state, asset.size, asset.digest or content.digest)
    if arrived != (content.name, COMPLETE, content.size_bytes, content.digest):
        raise TargetError(
            f"{content.name} did not arrive as it was sent",
            expected=f"{content.name}, {content.size_bytes} bytes, {content.digest}",
            found=f"{asset.name}, {asset.state}, {asset.size} bytes, {asset.digest or 'no digest'}",
            next_step="repeat; a draft's file is replaced",
        )
