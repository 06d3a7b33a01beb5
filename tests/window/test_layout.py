from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from mien.scene import Face, Hand
from mien.window.layout import Layout, View, arrange, label_words, overlap, shortened, wrap

PANEL_HW = (530.0, 292.0)
WINDOWS_HW = [(480, 640), (720, 1280), (1080, 1920), (1280, 720), (2160, 3840), (240, 320), (300, 2000), (2000, 300)]
FRAMES_HW = [(480, 640), (1080, 1920), (1920, 1080), (1, 1), (20, 4000)]


def size(rect: tuple[int, int, int, int]) -> tuple[int, int]:
    return rect[3] - rect[1], rect[2] - rect[0]


@pytest.mark.parametrize(("window_hw", "frame_hw"), list(itertools.product(WINDOWS_HW, FRAMES_HW)))
def test_parts_lie_in_the_window_and_apart(window_hw: tuple[int, int], frame_hw: tuple[int, int]) -> None:
    layout = arrange(window_hw, frame_hw, PANEL_HW)
    parts = [part for part in (layout.picture, layout.panel, layout.strip) if part is not None]
    for x1, y1, x2, y2 in parts:
        assert 0 <= x1 < x2 <= window_hw[1]
        assert 0 <= y1 < y2 <= window_hw[0]
    assert not any(overlap(a, b) for a, b in itertools.combinations(parts, 2))
    if layout.panel is not None:
        height, width = size(layout.panel)
        assert height >= PANEL_HW[0] * layout.panel_scale - 1
        assert width >= PANEL_HW[1] * layout.panel_scale - 1


@pytest.mark.parametrize(("window_hw", "frame_hw"), list(itertools.product(WINDOWS_HW, FRAMES_HW[:3])))
def test_the_picture_keeps_its_shape(window_hw: tuple[int, int], frame_hw: tuple[int, int]) -> None:
    height, width = size(arrange(window_hw, frame_hw, PANEL_HW).picture)
    ratio = frame_hw[1] / frame_hw[0]
    assert abs(width - height * ratio) <= max(1, ratio)
    whole = min(window_hw[0] / frame_hw[0], window_hw[1] / frame_hw[1])
    assert width >= 0.64 * whole * frame_hw[1]


def test_where_the_panel_goes() -> None:
    beside, below = arrange((720, 1280), (480, 640), PANEL_HW), arrange((1280, 720), (480, 640), PANEL_HW)
    assert size(beside.picture) == (720, 960), "a panel in the free room takes nothing from the picture"
    assert beside.panel is not None
    assert beside.panel[0] == beside.picture[2]
    assert below.panel is not None
    assert below.strip is not None
    assert below.picture[3] == below.strip[1] <= below.strip[3] == below.panel[1]
    assert arrange((240, 320), (480, 640), PANEL_HW).panel is None


def test_lettering_grows_with_the_window() -> None:
    sizes = [arrange((height, height * 16 // 9), (480, 640), PANEL_HW).px(20) for height in (480, 720, 1080, 2160)]
    assert sizes == [13, 20, 30, 60]
    assert Layout(0.01, (0, 0, 1, 1)).px(3) == 1


@pytest.mark.parametrize("mirror", [False, True])
def test_views(mirror: bool, face: Callable[..., Face], hand: Callable[..., Hand]) -> None:
    view = View((240, 320), (480, 640), mirror)
    a_face = face(box_xyxy=(10.0, 20.0, 50.0, 80.0))
    box = view.region(a_face).box_xyxy
    assert box == ((540.0, 40.0, 620.0, 160.0) if mirror else (20.0, 40.0, 100.0, 160.0))
    a_hand = hand()
    shown = view.region(a_hand)
    assert isinstance(shown, Hand)
    assert (shown.side, shown.prediction) == (a_hand.side, a_hand.prediction)
    before, after = np.array(a_hand.landmarks_xyz), np.array(shown.landmarks_xyz)
    xs = 320 - before[:, 0] if mirror else before[:, 0]
    assert np.allclose(after, np.stack([2 * xs, 2 * before[:, 1], 2 * before[:, 2]], 1))


def test_mirroring_twice_is_nothing(hand: Callable[..., Hand]) -> None:
    view, a_hand = View((240, 320), (240, 320), True), hand()
    twice = view.region(view.region(a_hand))
    assert isinstance(twice, Hand)
    assert np.allclose(np.array(twice.landmarks_xyz), np.array(a_hand.landmarks_xyz))
    assert np.allclose(twice.box_xyxy, a_hand.box_xyxy)


def test_label_words(face: Callable[..., Face], hand: Callable[..., Hand]) -> None:
    assert label_words(face("happy", 0.913)) == "looks happy 91 %"
    assert label_words(face("surprise", 0.5)) == "looks surprised 50 %"
    assert label_words(face("sad", 0.62, uncertain=True, perhaps=True)) == "perhaps sad 62 %"
    assert label_words(face("happy", 0.3, uncertain=True)) == "unclear: happy or surprised"
    assert label_words(face(None)) == ""
    assert label_words(hand("victory", 1.0)) == "victory 100 %"
    assert label_words(hand("none", 0.9)) == "no known gesture"
    assert label_words(hand("none", 0.4, uncertain=True)) == "unclear: no known gesture or victory"


@pytest.mark.parametrize("most", [1, 2, 3, 100])
@pytest.mark.parametrize(
    "text",
    [
        "one two three four five six seven",
        "",
        "a",
        "Donaudampfschifffahrtsgesellschaft",
        "你看起来很高兴这很适合你",
        "a  b   c",
    ],
)
def test_wrapped_lines_fit(text: str, most: int) -> None:
    lines = wrap(text, 10, len, most)
    assert len(lines) <= most
    assert all(0 < len(line) <= 10 for line in lines)
    if most == 100:
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    elif sum(len(word) for word in text.split()) > 10 * most:
        assert lines[-1].endswith("…")


def test_words_stay_whole() -> None:
    assert wrap("You look happy, that suits you.", 16, len, 5) == ["You look happy,", "that suits you."]
    assert wrap("You look happy, that suits you.", 16, len, 1) == ["You look happy,…"]


def test_a_line_narrower_than_a_letter_ends() -> None:
    assert wrap("abc", 0.5, len, 9) == ["a", "b", "c"]


def test_shortened() -> None:
    assert shortened("abcdef", 6, len) == "abcdef"
    assert shortened("abcdefg", 6, len) == "abcde…"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("笑起来真好，请继续保持", ["笑起来真", "好，请继续", "保持"]),
        ("她说了：“你好", ["她说了：", "“你好"]),
        ("好 一二三四五六七", ["好 一二三", "四五六七"]),
        ("你好mien好", ["你好", "mien好"]),
        ("，，，，，，，", ["，，，，，", "，，"]),
        ("12345678", ["12345", "678"]),
    ],
)
def test_chinese_lines_begin_with_no_comma_end_with_no_opening_quote_and_are_full(text: str, lines: list[str]) -> None:
    assert wrap(text, 5, len, 9) == lines
