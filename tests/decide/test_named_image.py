from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.decide.named_image import NamedImage, parse_named_image
from switchover.errors import InputError

DIGEST = f"sha256:{'0123456789abcdef' * 4}"


@pytest.mark.parametrize(
    ("text", "repository", "reference"),
    [
        ("ghcr.io/acme/shop:1.4.2", "ghcr.io/acme/shop", "1.4.2"),
        ("ghcr.io/acme/shop", "ghcr.io/acme/shop", "latest"),
        (f"ghcr.io/acme/shop@{DIGEST}", "ghcr.io/acme/shop", DIGEST),
        (f"ghcr.io/acme/shop:1.4.2@{DIGEST}", "ghcr.io/acme/shop", DIGEST),
        ("127.0.0.1:5000/shop", "127.0.0.1:5000/shop", "latest"),
        ("127.0.0.1:5000/shop:v1.4.2_build", "127.0.0.1:5000/shop", "v1.4.2_build"),
        ("[::1]:5000/shop:1", "[::1]:5000/shop", "1"),
        ("acme/my_shop-api", "acme/my_shop-api", "latest"),
        ("shop:2", "shop", "2"),
    ],
)
def test_an_image_is_taken_apart(text: str, repository: str, reference: str) -> None:
    assert parse_named_image(text) == NamedImage(repository, reference)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":1",
        "shop:",
        "shop@",
        f"shop@{DIGEST}0",
        f"shop@md5:{'0' * 32}",
        "shop@1.4.2",
        "ghcr.io//shop",
        "ghcr.io/Acme/shop",
        "ghcr.io/acme/shop:1 2",
        "https://ghcr.io/acme/shop",
        "--key=/etc/passwd",
        "-x/shop",
        "shop:-x",
        "ghcr.io/acme/sh op",
        f"@{DIGEST}",
    ],
)
def test_what_names_no_image_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="names no image"):
        parse_named_image(text)


@given(st.text())
def test_any_text_is_an_image_or_refused(text: str) -> None:
    try:
        image = parse_named_image(text)
    except InputError:
        return
    # Nothing that a program would take for an option.
    assert not image.repository.startswith("-")
    assert not image.reference.startswith("-")
