from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from switchover.adapters.kube_manifests import read_documents
from switchover.decide.kube_reading import Wanted, read_workload
from switchover.errors import InputError

ONE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"
OURS = Path(__file__).parents[2] / "k8s" / "application"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def names(place: Path) -> list[str]:
    return [each["metadata"]["name"] for each in read_documents(place)]


def found(place: Path) -> str:
    with pytest.raises(InputError) as raised:
        read_documents(place)
    return raised.value.problem.found


def test_a_file_and_a_folder_are_read_in_the_order_of_names(tmp_path: Path) -> None:
    write(tmp_path, b=ONE.replace("one", "three"), a=f"---\n{ONE}---\n{ONE.replace('one', 'two')}---\n")
    (tmp_path / "notes.txt").write_text("not: ours")
    assert names(tmp_path) == ["one", "two", "three"]
    assert names(tmp_path / "a.yaml") == ["one", "two"]


def test_a_list_is_read_as_its_items(tmp_path: Path) -> None:
    items = (
        '{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "A", "metadata": {"name": "x"}}]}'
    )
    (tmp_path / "a.json").write_text(items)
    assert names(tmp_path) == ["x"]


def test_a_kustomization_is_rendered(tmp_path: Path) -> None:
    write(tmp_path, one=ONE, kustomization="resources: [one.yaml]\nnamePrefix: my-\n")
    assert names(tmp_path) == ["my-one"]


def test_a_broken_kustomization_is_told_in_kubectls_words(tmp_path: Path) -> None:
    write(tmp_path, kustomization="resources: [missing.yaml]\n")
    assert "missing.yaml" in found(tmp_path)


def test_our_own_manifests_can_have_two_colours(tmp_path: Path) -> None:
    shutil.copytree(OURS, tmp_path / "application")
    overlay = tmp_path / "application" / "overlays" / "staging"
    shutil.copy(overlay / "secrets.env.example", overlay / "secrets.env")
    documents = read_documents(overlay)
    wanted = Wanted("shop", "shop", None, "registry.example.com/acme-home/shop", "http", "shop-staging")
    reading = read_workload(documents, wanted)
    assert reading.obstacles == ()
    assert [each.name for each in reading.references] == ["shop-config", "shop-secrets"]
    assert (reading.replicas, reading.max_replicas) == (2, 10)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "a.yaml, line 1"),
        ("just words", "document 1: something without `apiVersion`"),
        ("apiVersion: v1\nkind: Pod\n", "Pod without metadata.name"),
        (f"{ONE}data: {{a: x}}\ndata: {{}}\n", "the key data twice"),
        (f"{ONE}data: {{1: x}}\n", "a key that is no text"),
        (f"{ONE}data: {{a: .inf}}\n", "a value that JSON does not have"),
        ("a: &a [*a]", "document 1"),
        (f"{ONE}data: &d\n  x: *d\n", "more than 200000 values"),
        ("!!python/object/apply:os.system [ls]", "line 1"),
    ],
)
def test_what_is_no_manifest_is_told_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    assert words in found(write(tmp_path, a=text))


def test_a_few_lines_that_stand_for_gigabytes_are_refused(tmp_path: Path) -> None:
    levels = "".join(f"l{n + 1}: &l{n + 1} [{', '.join([f'*l{n}'] * 10)}]\n" for n in range(9))
    assert "more than 200000 values" in found(write(tmp_path, a=f"{ONE}l0: &l0 [x]\n{levels}"))


def test_aliases_and_merges_are_written_out(tmp_path: Path) -> None:
    text = f"{ONE}base: &base {{a: '1'}}\ndata:\n  <<: *base\n  day: 2026-01-01\n"
    (document,) = read_documents(write(tmp_path, a=text))
    assert document["data"] == {"a": "1", "day": "2026-01-01"}


def test_the_line_of_a_mistake_is_not_quoted(tmp_path: Path) -> None:
    assert "hush" not in found(write(tmp_path, a="stringData: {password: 'hush\n"))


def test_no_manifests_at_all_are_told(tmp_path: Path) -> None:
    assert found(tmp_path) == "an empty folder"
    assert found(tmp_path / "nowhere") == "no such file"


def test_too_much_is_not_read(tmp_path: Path) -> None:
    assert "bytes" in found(write(tmp_path, a="#" * (4 * 1024 * 1024 + 1)))
