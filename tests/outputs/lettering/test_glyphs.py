from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.outputs.lettering import glyphs
from mien.outputs.lettering.fonts import font_for
from mien.outputs.lettering.glyphs import text_width, write_text


def written(text: str, origin_xy: tuple[int, int] = (5, 45), scale: float = 1.0) -> NDArray[np.bool_]:
    """Which pixels of a white picture a black text changes."""
    image_rgb = np.full((60, 300, 3), 255, np.uint8)
    write_text(image_rgb, text, origin_xy, scale=scale, stroke=1, colour=(0, 0, 0))
    return np.asarray((image_rgb < 128).all(axis=2))


def has_font(text: str) -> bool:
    return font_for(text) is not None


@pytest.mark.parametrize("text", ["Señal żółć", "Привет", "比心", "👋"])
def test_letters_of_other_scripts_are_letters_where_a_font_has_them(text: str) -> None:
    if not has_font(text):
        pytest.skip(f"no font here has {text}")
    marks = written(text)
    assert marks.sum() > 30
    assert not np.array_equal(marks, written("?" * len(text)))
    columns = np.flatnonzero(marks.any(axis=0))
    assert columns[-1] - columns[0] <= text_width(text, 1.0, 1) + 2


def test_capitals_are_about_as_high_as_those_of_ascii() -> None:
    if not has_font("Ż"):
        pytest.skip("no font here has Ż")
    ascii_rows, other_rows = (np.flatnonzero(written(text).any(axis=1)) for text in ("H", "\u041d"))  # Cyrillic
    assert abs(np.ptp(ascii_rows) - np.ptp(other_rows)) <= 4
    assert abs(ascii_rows[-1] - other_rows[-1]) <= 2


def test_letters_that_no_font_has_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIEN_FONTS", str(tmp_path))
    assert np.array_equal(written("比心 7"), written("... 7"))
    assert np.array_equal(written("Müller"), written("Muller"))
    assert text_width("比心 7", 1.0, 1) == text_width("... 7", 1.0, 1)


def test_ascii_is_written_by_opencv_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(text: str) -> None:
        raise AssertionError(f"looked for a font for {text!r}")

    monkeypatch.setattr(glyphs, "font_for", refused)
    image_rgb = np.full((60, 300, 3), 255, np.uint8)
    cv2.putText(image_rgb, "happy 91%", (5, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2, cv2.LINE_AA)
    ours = np.full((60, 300, 3), 255, np.uint8)
    write_text(ours, "happy 91%", (5, 45), scale=1.0, stroke=2, colour=(0, 0, 0))
    assert np.array_equal(ours, image_rgb)


@pytest.mark.parametrize("origin_xy", [(-20, 30), (290, 30), (5, 3), (5, 100), (-500, 30)])
def test_what_lies_outside_the_picture_is_cut_off(origin_xy: tuple[int, int]) -> None:
    whole = written("żółć", (100, 45)).sum()
    assert written("żółć", origin_xy).sum() <= whole
