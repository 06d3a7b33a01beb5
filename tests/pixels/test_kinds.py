from __future__ import annotations

import pytest

from mien.pixels.kinds import picture_kind


@pytest.mark.parametrize(
    ("major", "compatible", "kind"),
    [
        (b"avif", b"", "AVIF"),
        (b"avis", b"", "AVIF"),
        (b"mif1", b"miafavif", "AVIF"),
        (b"heic", b"mif1", "HEIC"),
        (b"isom", b"mp42", None),
    ],
)
def test_brands_tell_the_kind(major: bytes, compatible: bytes, kind: str | None) -> None:
    head = (b"\0\0\0\x20ftyp" + major + b"\0\0\0\0" + compatible).ljust(32, b"\0")
    assert picture_kind(head) == kind
