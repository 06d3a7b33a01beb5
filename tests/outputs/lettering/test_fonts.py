from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.outputs.draw import draw_scene, label_text
from mien.outputs.lettering import fonts
from mien.outputs.lettering.fonts import drawable, drawn_words, font_folders, font_for, is_drawable, opened
from mien.scene import Face, Hand, Prediction, Scene
from mien.words import choose, language, words


@pytest.fixture
def chinese() -> str:
    """Chinese letters that a font here has; skips otherwise."""
    if not is_drawable("高兴"):
        pytest.skip("no font here has Chinese characters: install fonts-noto-cjk")
    return "高兴"


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "no fonts"
    folder.mkdir()
    monkeypatch.setenv("MIEN_FONTS", str(folder))


@pytest.fixture
def in_chinese() -> object:
    choose("zh")
    yield
    choose(None)


def scene_of(*regions: Face | Hand) -> Scene:
    faces = tuple(one for one in regions if isinstance(one, Face))
    hands = tuple(one for one in regions if isinstance(one, Hand))
    image = np.full((400, 600, 3), 128, np.uint8)
    return Scene(source="x", frame=0, time_s=0, size_hw=(400, 600), faces=faces, hands=hands, image_rgb=image)


def test_ascii_needs_no_font() -> None:
    assert font_for("happy 91%") is None
    assert is_drawable("happy 91%")


def test_a_font_has_every_letter_of_the_package_words(chinese: str) -> None:
    del chinese
    face = font_for(str(words("zh").texts))
    assert face is not None
    assert len({bytes(opened(face, 24).getmask(letter)) for letter in "高兴难过惊讶"}) == 6


def test_of_a_collection_the_simplified_forms_are_taken(chinese: str) -> None:
    face = font_for(chinese)
    assert face is not None
    if "NotoSansCJK" not in face.path:
        pytest.skip("another font than Noto Sans CJK is the best here")
    assert fonts.family_of(face) == "Noto Sans CJK SC"


def test_a_font_of_the_users_own(chinese: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    face = font_for(chinese)
    assert face is not None
    own = tmp_path / f"my own{Path(face.path).suffix}"
    shutil.copyfile(face.path, own)
    for variable in (own, tmp_path):
        monkeypatch.setenv("MIEN_FONTS", str(variable))
        found = font_for(chinese)
        assert found is not None
        assert Path(found.path) == own


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("win32", {"WINDIR": "D:/Win", "LOCALAPPDATA": "D:/me"}, "D:/Win/Fonts"),
        ("darwin", {}, "/System/Library/Fonts"),
        ("linux", {"XDG_DATA_DIRS": "/opt/share"}, "/opt/share/fonts"),
        ("linux", {"MIEN_FONTS": "/my/fonts"}, "/my/fonts"),
    ],
)
def test_where_fonts_are(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], folder: str
) -> None:
    monkeypatch.delenv("MIEN_FONTS", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Path(folder) in font_folders()


@pytest.mark.usefixtures("no_fonts")
def test_without_a_font_nothing_is_a_box_or_a_question_mark() -> None:
    assert [drawable(text) for text in ("IMG_高兴01.jpg", "Müller.png", "比心", "plain")] == [
        *("IMG_...01.jpg", "Muller.png", "...", "plain")
    ]


@pytest.mark.usefixtures("no_fonts", "in_chinese")
def test_without_a_font_drawings_are_in_english_and_that_is_told_once(
    face: Callable[..., Face], caplog: pytest.LogCaptureFixture
) -> None:
    fonts._can_draw.cache_clear()
    seen = scene_of(face("happy", 0.91))
    with caplog.at_level(logging.WARNING):
        drawn = [draw_scene(seen).image_rgb for _ in range(3)]
    assert [record.getMessage().count("fonts-noto-cjk") for record in caplog.records] == [1]
    assert language() == "zh"
    choose("en")
    assert np.array_equal(drawn[0], draw_scene(seen).image_rgb)


@pytest.mark.usefixtures("in_chinese")
def test_with_a_font_drawings_are_in_chinese(chinese: str, face: Callable[..., Face]) -> None:
    del chinese
    seen = scene_of(face("happy", 0.91))
    with drawn_words():
        assert label_text(seen.faces[0]) == "开心 91%"
    drawn = draw_scene(seen).image_rgb
    choose("en")
    assert not np.array_equal(drawn, draw_scene(seen).image_rgb)


@pytest.mark.usefixtures("no_fonts")
def test_a_label_of_ones_own_is_called_by_its_number(hand: Callable[..., Hand]) -> None:
    own = Prediction(label="比心", confidence=0.9, uncertain=False, probabilities={"victory": 0.1, "比心": 0.9})
    assert label_text(replace(hand("victory", 1.0), prediction=own)) == "label 2 90%"
