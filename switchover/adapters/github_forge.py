"""The port `Forge` on GitHub. Importing it costs a third of a second: import it late."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path
from typing import Any
from urllib.parse import quote

from switchover.adapters.github_answers import Page, PullRequest, Receipt, take
from switchover.adapters.github_assets import STAGE, measure, upload
from switchover.adapters.github_client import PAGE_SIZE, GithubClient
from switchover.adapters.github_errors import CONFLICT, FORBIDDEN, NOT_FOUND, TOO_LARGE, UNPROCESSABLE, Refusal
from switchover.decide.outcome import Done, Outcome, Skipped
from switchover.errors import InputError
from switchover.operations.shared_places import ForgeRelease

_MOST_PAGES = 10
_MOST_SARIF_BYTES = 10 * 1024 * 1024


class GithubForge:
    """One repository, `owner/name`, at the address of an API, seen with a token.

    Nothing is repeated by itself. A single silence of `timeout_seconds` ends a call.
    """

    def __init__(self, repository: str, *, api: str, token: str, timeout_seconds: float = 60.0) -> None:
        self._client = GithubClient(repository, api=api, token=token, timeout_seconds=timeout_seconds)

    def find_release(self, tag: str) -> ForgeRelease | None:
        """The page of a tag. Of several drafts the oldest; one older than a thousand releases is not seen."""
        page = self._find_page(tag)
        return None if page is None else page.to_release()

    def draft_release(self, tag: str, title: str, notes: str, *, prerelease: bool) -> ForgeRelease:
        """Make the draft or bring it to this text; a published page is returned as it is."""
        page = self._find_page(tag)
        if page is None:
            page = self._make_draft(tag, title, notes, prerelease=prerelease)
        if page.draft and (page.name, page.text(), page.prerelease) != (title, notes, prerelease):
            page = self._change(page, name=title, body=notes, prerelease=prerelease)
        return page.to_release()

    def upload_asset(self, release: ForgeRelease, file: Path) -> Outcome:
        """Have the file on the page. `InputError` too for a name that GitHub would change."""
        content = measure(file)
        if release.assets.get(content.name) == content.digest:
            return Skipped(STAGE, f"{content.name} is there already")
        return upload(self._client, self._read_page(release), content)

    def publish_release(self, release: ForgeRelease, *, latest: bool) -> str:
        """Publish a draft whose tag is in the repository: of a tag that is not, GitHub would make one of its own."""
        page = self._read_page(release)
        # GitHub refuses the mark for a prerelease.
        marked = latest and not page.prerelease
        if page.draft:
            self._require_tag(page.tag_name)
            page = self._change(page, draft=False, make_latest="true" if marked else "false")
        elif marked and not self._is_latest(page):
            page = self._change(page, make_latest="true")
        return page.html_url

    def mark_withdrawn(self, release: ForgeRelease, note: str) -> None:
        """Put the note before the text, once; nothing is written when nothing changes."""
        page = self._read_page(release)
        text = page.text()
        begun = text.startswith(note)
        if not begun or self._is_latest(page):
            body = text if begun else f"{note}\n\n{text}".rstrip()
            self._change(page, body=body, make_latest="false")

    def propose(self, branch: str, base: str, title: str, body: str) -> str:
        """The address of the open pull request; `InputError` when the branch has nothing that the base has not."""
        found = self._find_pull_request(branch, base)
        if found is None:
            created = self._open_pull_request(branch, base, title, body)
            if created is not None:
                return created.html_url
            # Somebody else was faster.
            found = self._find_pull_request(branch, base)
        if found is None:
            raise self._nothing_to_propose(branch, base, "one that is there and is not listed")
        if (found.title, (found.body or "").replace("\r\n", "\n")) != (title, body):
            self._client.ask(
                f"change the pull request {found.number}",
                lambda github: github.rest.pulls.update(
                    self._client.owner, self._client.name, found.number, title=title, body=body
                ),
            )
        return found.html_url

    def upload_sarif(self, sarif: Path, commit: str, ref: str) -> Outcome:
        """Upload an analysis of the commit; a skip where code scanning is off, or the file is larger than it takes."""
        # Without a time in it the same findings are the same bytes.
        packed = gzip.compress(sarif.read_bytes(), mtime=0)
        if len(packed) > _MOST_SARIF_BYTES:
            return Skipped("sarif", f"{len(packed)} bytes when packed, GitHub takes {_MOST_SARIF_BYTES}")
        doing = "take the findings"
        answer = self._client.ask(
            doing,
            lambda github: github.rest.code_scanning.upload_sarif(
                self._client.owner,
                self._client.name,
                commit_sha=commit,
                ref=ref,
                sarif=base64.b64encode(packed).decode(),
            ),
            allow=(FORBIDDEN, NOT_FOUND, TOO_LARGE),
        )
        if isinstance(answer, Refusal):
            return Skipped("sarif", f"GitHub does not take findings here: {answer}")
        return Done("sarif", f"{len(packed)} bytes as {take(Receipt, answer, doing).id}")

    def _find_page(self, tag: str) -> Page | None:
        client, doing = self._client, f"look for the release {tag}"
        answer = client.ask(
            doing,
            lambda github: github.rest.repos.get_release_by_tag(client.owner, client.name, quote(tag, safe="")),
            allow=(NOT_FOUND,),
        )
        if not isinstance(answer, Refusal):
            return take(Page, answer, doing)
        listed = client.ask_pages(
            doing,
            lambda github, number: github.rest.repos.list_releases(
                client.owner, client.name, per_page=PAGE_SIZE, page=number
            ),
            _MOST_PAGES,
        )
        pages = (take(Page, entry, doing) for entry in listed)
        same = [page for page in pages if page.tag_name == tag]
        # One that was published meanwhile counts before any draft; numbers only grow.
        return min(same, key=lambda page: (page.draft, page.id), default=None)

    def _make_draft(self, tag: str, title: str, notes: str, *, prerelease: bool) -> Page:
        client, doing = self._client, f"make the release {tag}"
        answer = client.ask(
            doing,
            lambda github: github.rest.repos.create_release(
                client.owner, client.name, tag_name=tag, name=title, body=notes, draft=True, prerelease=prerelease
            ),
            allow=(UNPROCESSABLE,),
        )
        if not isinstance(answer, Refusal):
            return take(Page, answer, doing)
        # Somebody else was faster, or the request is wrong.
        page = self._find_page(tag) if "already_exists" in answer.codes else None
        if page is None:
            raise client.refuse(doing, answer)
        return page

    def _read_page(self, release: ForgeRelease) -> Page:
        client, doing = self._client, f"read the release {release.tag}"
        answer = client.ask(
            doing, lambda github: github.rest.repos.get_release(client.owner, client.name, release.identifier)
        )
        return take(Page, answer, doing)

    def _change(self, page: Page, **changes: Any) -> Page:
        client, doing = self._client, f"change the release {page.tag_name}"
        answer = client.ask(
            doing, lambda github: github.rest.repos.update_release(client.owner, client.name, page.id, **changes)
        )
        return take(Page, answer, doing)

    def _is_latest(self, page: Page) -> bool:
        client, doing = self._client, "read which release is the newest"
        answer = client.ask(
            doing, lambda github: github.rest.repos.get_latest_release(client.owner, client.name), allow=(NOT_FOUND,)
        )
        return not isinstance(answer, Refusal) and take(Page, answer, doing).id == page.id

    def _require_tag(self, tag: str) -> None:
        client = self._client
        answer = client.ask(
            f"read the tag {tag}",
            lambda github: github.rest.git.get_ref(client.owner, client.name, quote(f"tags/{tag}", safe="")),
            allow=(NOT_FOUND, CONFLICT),
        )
        if isinstance(answer, Refusal):
            raise InputError(
                f"the release {tag} cannot be published",
                expected=f"the tag {tag} in {client.repository}",
                found=str(answer),
                next_step="push the tag, then repeat",
            )

    def _find_pull_request(self, branch: str, base: str) -> PullRequest | None:
        client, doing = self._client, f"look for the pull request from {branch}"
        answer = client.ask_pages(
            doing,
            lambda github, number: github.rest.pulls.list(
                client.owner,
                client.name,
                state="open",
                head=f"{client.owner}:{branch}",
                base=base,
                per_page=PAGE_SIZE,
                page=number,
            ),
            1,
        )
        found = (take(PullRequest, entry, doing) for entry in answer)
        return next((each for each in found if (each.head.ref, each.base.ref) == (branch, base)), None)

    def _open_pull_request(self, branch: str, base: str, title: str, body: str) -> PullRequest | None:
        client, doing = self._client, f"open a pull request from {branch} into {base}"
        answer = client.ask(
            doing,
            lambda github: github.rest.pulls.create(
                client.owner, client.name, head=branch, base=base, title=title, body=body
            ),
            allow=(UNPROCESSABLE,),
        )
        if not isinstance(answer, Refusal):
            return take(PullRequest, answer, doing)
        if "pull request already exists" in answer.words:
            return None
        if "No commits between" in answer.words:
            raise self._nothing_to_propose(branch, base, "none")
        raise client.refuse(doing, answer)

    @staticmethod
    def _nothing_to_propose(branch: str, base: str, found: str) -> InputError:
        return InputError(
            f"there is no pull request from {branch} into {base}",
            expected=f"commits on {branch} that {base} has not",
            found=found,
            next_step="push the commits to the branch first",
        )
