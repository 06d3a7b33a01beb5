"""Photos with flipped bits: 500 of five small files, always the same. None may crash, hang, or get a wrong size."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from mien.errors import UnreadableMedia
from mien.pixels.images import decode_image

PER_FILE = 100
LONGEST_S = 10.0


def _blocks() -> Image.Image:
    small = np.random.default_rng(5).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(np.kron(small, np.ones((8, 8, 1), np.uint8)))


def _file(kind: str, heic: Callable[..., bytes]) -> tuple[bytes, range]:
    """A small photo of 64 x 48, and where its size stands, if nothing in the file could tell that it is wrong."""
    if kind == "HEIC":
        return heic(), range(0)
    out = io.BytesIO()
    _blocks().save(out, kind, **({"compression": "tiff_lzw"} if kind == "TIFF" else {}))
    data = out.getvalue()
    sizes = {"JPEG": range(data.find(b"\xff\xc0") + 5, data.find(b"\xff\xc0") + 9), "WEBP": range(26, 30)}
    return data, sizes.get(kind, range(0))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIC"])
def test_flipped_bits(kind: str, heic: Callable[..., bytes], capfd: pytest.CaptureFixture[str]) -> None:
    data, size_at = _file(kind, heic)
    random = np.random.default_rng(17)
    ends: Counter[str] = Counter()
    for _ in range(PER_FILE):
        mutant = np.frombuffer(data, np.uint8).copy()
        places = random.integers(0, len(mutant), random.integers(1, 4))
        mutant[places] ^= np.uint8(1) << random.integers(0, 8, len(places), np.uint8)
        begin_s = time.monotonic()
        try:
            image = decode_image(mutant.tobytes(), "mutant")
        except UnreadableMedia as error:
            assert str(error).startswith("Cannot read mutant: ")  # noqa: PT017
            ends["refused"] += 1
        else:
            assert image.shape == (48, 64, 3) or set(places.tolist()) & set(size_at)
            ends["read"] += 1
        assert time.monotonic() - begin_s < LONGEST_S
    assert ends["refused"] > 5
    assert ends["read"] > 5 or kind == "PNG"  # which has checksums
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIC"])
def test_no_part_of_a_file_is_a_photo(kind: str, heic: Callable[..., bytes], capfd: pytest.CaptureFixture[str]) -> None:
    data, _ = _file(kind, heic)
    for length in range(0, len(data) - 1, max(len(data) // 100, 1)):
        with pytest.raises(UnreadableMedia):
            decode_image(data[:length], "part")
    assert capfd.readouterr().err == ""
