from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

from switchover.decide.components import Component, ComponentKind
from switchover.decide.release_files import ReleaseFile, name_archive, write_checksums, write_manifest
from switchover.decide.release_notes import read_section, write_notes

UI = Component("@acme/ui", "@acme/ui", "1.2.0", ComponentKind.NPM, "packages/ui", "@acme/ui@1.2.0")
SHOP = Component("shop", "shop", "2.0.0", ComponentKind.IMAGE, "services/shop", "shop@2.0.0")
CHANGELOG = """# ui

## 1.2.0

### Minor Changes

- abc: words

## [1.1.0](link) (2026-01-01)

- older
"""


def test_archives_are_called_as_npm_and_engines_call_them() -> None:
    assert [name_archive(each) for each in (UI, SHOP)] == ["acme-ui-1.2.0.tgz", "shop-2.0.0.image.tar"]


def test_the_manifest_names_every_artifact_with_where_it_is_from() -> None:
    file = ReleaseFile("acme-ui-1.2.0.tgz", "artifact", "sha256:" + "a" * 64, 7)
    text = write_manifest(UI, "c" * 40, "switchover 1", [file], "@acme/ui@1.2.0", "sha512-x")
    document = json.loads(text)
    assert document["source_commit"] == "c" * 40
    assert document["builder"] == "switchover 1"
    assert document["published"] == {"reference": "@acme/ui@1.2.0", "digest": "sha512-x"}
    assert document["artifacts"] == [
        {"name": "acme-ui-1.2.0.tgz", "kind": "artifact", "digest": "sha256:" + "a" * 64, "size_bytes": 7}
    ]
    assert json.loads(write_manifest(UI, "c", "b", [file], "", ""))["published"] is None


def test_sha256sum_accepts_the_checksums(tmp_path: Path) -> None:
    files = []
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text(name)
        digest = hashlib.sha256(name.encode()).hexdigest()
        files.append(ReleaseFile(name, "artifact", f"sha256:{digest}", len(name)))
    (tmp_path / "SHA256SUMS").write_text(write_checksums(files))
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["a.txt: OK", "b.txt: OK"]


def test_the_section_of_a_version_ends_where_the_next_begins() -> None:
    assert read_section(CHANGELOG, "1.2.0") == "### Minor Changes\n\n- abc: words"
    assert read_section(CHANGELOG, "1.1.0") == "- older"
    assert read_section(CHANGELOG, "1.0.0") == ""
    assert read_section(CHANGELOG, "1.2") == ""


def test_notes_say_how_to_get_the_very_bytes() -> None:
    notes = write_notes(SHOP, "- words", "registry.example/shop@sha256:ab", "sha256:ab", "c" * 40)
    assert notes == (
        "- words\n\n```sh\ndocker pull registry.example/shop@sha256:ab\n```\n\n"
        f"Digest `sha256:ab` · made of commit {'c' * 40}\n"
    )
    assert "npm install @acme/ui@1.2.0" in write_notes(UI, "", "@acme/ui@1.2.0", "sha512-x", "c")
    assert write_notes(UI, "", "", "", "c").startswith("No changes were written down.")
