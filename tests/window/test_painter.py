from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.outputs.lettering.fonts import is_drawable
from mien.outputs.lettering.glyphs import letters_of
from mien.outputs.palette import DARK, LIGHT, Colour, label_colour
from mien.outputs.pygame_import import pygame
from mien.scene import Face, Hand, Scene
from mien.window.layout import overlap
from mien.window.lettering import Lettering
from mien.window.painter import Choices, Painter, main_reading
from mien.window.panel import FAINT, Section, panel_size_hw
from mien.window.status import Status
from mien.words import say

PLAIN = Choices(mirror=False, landmarks=True, keys=False, no_face=False)


@pytest.fixture(autouse=True)
def _pygame(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pygame.font.init()
    yield
    pygame.font.quit()


@pytest.fixture
def painter() -> Painter:
    return Painter()


def a_scene(*regions: Face | Hand, value: int = 120, size_hw: tuple[int, int] = (480, 640)) -> Scene:
    return Scene(
        source="x",
        frame=0,
        time_s=0.0,
        size_hw=size_hw,
        faces=tuple(region for region in regions if isinstance(region, Face)),
        hands=tuple(region for region in regions if isinstance(region, Hand)),
        image_rgb=np.full((*size_hw, 3), value, np.uint8),
    )


def painted(
    painter: Painter, scene: Scene | None, status: Status | None = None, size_wh: tuple[int, int] = (1280, 720)
) -> np.ndarray:
    surface = pygame.Surface(size_wh)
    painter.paint(surface, scene, status or Status(), PLAIN)
    return pygame.surfarray.array3d(surface).transpose(1, 0, 2)


def contrast(a: Any, b: Any) -> float:
    """Of two colours, after WCAG 2."""

    def luminance(colour: Any) -> float:
        share = np.asarray(colour) / 255
        return float(
            np.where(share <= 0.03928, share / 12.92, ((share + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
        )

    bright, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_words_over_the_picture_have_contrast(value: int, painter: Painter) -> None:
    image = painted(painter, a_scene(value=value), Status(caption="You look happy.", paused=True))
    notice, caption = image[26, 17], image[700, 480]
    for plate, ink in ((notice, LIGHT), (caption, LIGHT)):
        assert contrast(plate, ink) >= 4.5


def test_words_in_the_panel_have_contrast() -> None:
    assert contrast(FAINT, DARK) >= 4.5
    assert contrast(LIGHT, DARK) >= 4.5


def test_recording_is_told_by_a_sign_and_words_and_not_by_colour_alone(painter: Painter) -> None:
    plain = painted(painter, a_scene(), Status())
    recording = painted(painter, a_scene(), Status(recording=True, recording_to="clip.mp4"))
    red = (recording == (255, 88, 80)).all(2)
    assert red.any()
    assert not (plain == (255, 88, 80)).all(2).any()
    grey_plain, grey_recording = plain.mean(2), recording.mean(2)
    assert (np.abs(grey_plain - grey_recording)[10:45, 45:350] > 40).any(), "the words differ without colours too"


@pytest.mark.parametrize("name", ["muted", "paused", "recording", "message", "caption"])
def test_every_state_is_seen(name: str, painter: Painter) -> None:
    value = "words" if name in ("message", "caption") else True
    plain, told = painted(painter, a_scene()), painted(painter, a_scene(), Status(**{name: value}))
    assert (np.abs(plain.mean(2) - told.mean(2)) > 40).sum() > 100


def bar(image: np.ndarray, colour: Colour) -> int:
    """The longest run of a colour in the panel, in pixels."""
    return int((image[:, 1050:] == colour).all(2).sum(1).max())


def test_bars_show_the_scores_of_the_largest_face(painter: Painter, face: Callable[..., Face]) -> None:
    small = face("happy", 0.9, box_xyxy=(10.0, 50.0, 100.0, 150.0))
    large = face("surprise", 0.6, box_xyxy=(200.0, 50.0, 500.0, 400.0), track=2)
    image = painted(painter, a_scene(small, large), Status(tasks=("emotion",)))
    happy, surprise = bar(image, label_colour("happy")), bar(image, label_colour("surprise"))
    assert surprise > 5 * happy
    half = bar(painted(painter, a_scene(face("surprise", 0.3)), Status(tasks=("emotion",))), label_colour("surprise"))
    assert abs(surprise - 2 * half) <= 6
    assert main_reading([small, large]) is large.prediction
    assert main_reading([face(None)]) is None
    assert main_reading([]) is None


def test_tasks_choose_the_bars(painter: Painter, face: Callable[..., Face], hand: Callable[..., Hand]) -> None:
    scene = a_scene(face("happy"), hand("victory"))
    for tasks, happy, victory in ((("emotion",), 1, 0), (("gesture",), 0, 1), (("emotion", "gesture"), 1, 1)):
        image = painted(painter, scene, Status(tasks=tasks))
        assert (bar(image, label_colour("happy")) > 10) == bool(happy)
        assert (bar(image, label_colour("victory")) > 10) == bool(victory)


def test_every_face_has_its_label(painter: Painter, face: Callable[..., Face]) -> None:
    one = face("happy", box_xyxy=(60.0, 150.0, 200.0, 300.0))
    two = face("sad", box_xyxy=(380.0, 150.0, 520.0, 300.0), track=2)
    image = painted(painter, a_scene(one, two))[:, :960]
    for label in ("happy", "sad"):
        assert (image == label_colour(label)).all(2).sum() > 1500


@pytest.mark.parametrize("large_text", [False, True])
@pytest.mark.parametrize(
    "boxes",
    [
        [(140.0, 150.0, 300.0, 350.0), (304.0, 90.0, 464.0, 280.0)],
        [(60.0, 190.0, 220.0, 390.0), (222.0, 180.0, 382.0, 380.0), (384.0, 130.0, 544.0, 330.0)],
        [(250.0, 200.0, 470.0, 420.0), (330.0, 90.0, 420.0, 196.0)],
    ],
    ids=["two", "three", "behind"],
)
def test_no_label_lies_on_the_face_of_another(
    boxes: list[tuple[float, float, float, float]], large_text: bool, face: Callable[..., Face]
) -> None:
    painter = Painter(large_text=large_text)
    for mirror in (False, True):
        faces = [face("happy", 0.3, uncertain=True, box_xyxy=box, track=i) for i, box in enumerate(boxes, 1)]
        scene = a_scene(*faces)
        surface, status = pygame.Surface((1280, 720)), Status(tasks=("emotion",))
        choices = replace(PLAIN, mirror=mirror)
        painter.paint(surface, scene, status, choices)
        plates, known = painter._taken[-len(faces) :], painter._faces(painter._regions(scene, choices))
        for plate, own in zip(plates, known, strict=True):
            assert not any(overlap(plate, other) for other in known if other != own)


def test_a_label_stays_on_its_side_while_a_neighbour_trembles(painter: Painter, face: Callable[..., Face]) -> None:
    lefts = []
    for i in range(12):
        edge = 329.0 + i % 2
        two = face("sad", box_xyxy=(edge, 60.0, 420.0, 188.0), track=2)
        one = face("happy", 0.3, uncertain=True, box_xyxy=(130.0, 200.0, 230.0, 320.0), track=1)
        painted(painter, a_scene(one, two))
        lefts.append(painter._taken[-2][:2])
    assert len(set(lefts[1:])) == 1


def test_labels_keep_clear_of_notices_and_caption(painter: Painter, hand: Callable[..., Hand]) -> None:
    status = Status(caption="You look happy, that suits you.", message="Camera lost, trying again in 4 s", muted=True)
    plain = painted(painter, a_scene(), status)
    told = painted(painter, a_scene(hand("victory", wrist_xy=(150.0, 470.0), size=340.0)), status)
    words = (plain == LIGHT).all(2)[:, :960]
    assert (told[:, :960][words] == LIGHT).mean() > 0.97, "at most the thin line of a box crosses words"


NOTICES = Status(
    message="There is no sound device here (no such device); sentences are only shown.", muted=True, paused=True
)


@pytest.mark.parametrize("size_wh", [(1280, 720), (960, 720), (640, 480), (320, 240), (720, 1280)])
@pytest.mark.parametrize(
    "boxes",
    [
        [(5.0, 5.0, 300.0, 300.0)],
        [(200.0, 0.0, 640.0, 480.0)],
        [(0.0, 0.0, 640.0, 200.0)],
        [(0.0, 0.0, 640.0, 480.0)],
        [(-50.0, -80.0, 700.0, 600.0)],
        [(0.0, 0.0, 200.0, 200.0), (220.0, 0.0, 420.0, 200.0), (440.0, 0.0, 640.0, 200.0), (0.0, 240.0, 640.0, 480.0)],
    ],
    ids=["corner", "near", "above", "all", "beyond", "group"],
)
def test_no_notice_lies_on_a_face(
    boxes: list[tuple[float, float, float, float]],
    size_wh: tuple[int, int],
    painter: Painter,
    face: Callable[..., Face],
) -> None:
    """Faces are filled with a colour that a notice would cover: every pixel inside their boxes is still the picture."""
    faces = [face(None, box_xyxy=box, track=i) for i, box in enumerate(boxes, 1)]
    for status in (NOTICES, Status(), Status(recording=True, recording_to="a-long-name-of-a-clip.mp4")):
        plain = Status(notice="", tasks=status.tasks)
        scene = a_scene(*faces, value=200)
        painted(painter, scene, status, size_wh)
        x1, y1, x2, y2 = painter._layout.picture
        places = painter._taken
        assert len(places) == len(painter._notices.make(painter._layout, status, brief=False, with_message=True))
        for one in painter._faces(painter._regions(scene, PLAIN)):
            seen = max(one[0], x1), max(one[1], y1), min(one[2], x2), min(one[3], y2)
            assert not any(overlap(seen, place) for place in places)
        assert not any(overlap(a, b) for a, b in itertools.combinations(places, 2))
        painted(painter, scene, plain, size_wh)


def test_notices_stay_where_they_are_while_they_can(painter: Painter, face: Callable[..., Face]) -> None:
    def places(x: float) -> list[tuple[int, int, int, int]]:
        painted(painter, a_scene(face(None, box_xyxy=(x, 5.0, x + 150.0, 200.0))), Status(muted=True))
        return list(painter._taken)

    home = places(400.0)
    moved = places(10.0)
    assert moved != home
    assert places(60.0) == moved
    assert places(240.0) == moved, "they would be free to go home"
    assert places(470.0) != moved


def test_signs_stay_when_the_words_have_been_read(painter: Painter) -> None:
    surface, status = pygame.Surface((1280, 720)), Status(muted=True, message="Saved a.png")
    painter.paint(surface, a_scene(), status, PLAIN)
    whole = [x2 - x1 for x1, _, x2, _ in painter._taken]
    painter.paint(surface, a_scene(), status, replace(PLAIN, brief=True))
    brief = [x2 - x1 for x1, _, x2, _ in painter._taken]
    assert len(whole) == len(brief) == 3
    assert brief[0] < whole[0] / 4
    assert brief[1] < whole[1]
    assert brief[2] == whole[2], "news go by themselves"
    image = pygame.surfarray.array3d(surface).transpose(1, 0, 2)
    assert (image == (86, 180, 233)).all(2).sum() > 50, "the camera is on, and a sign says so"


def test_own_words_for_no_face(painter: Painter) -> None:
    def shown(words: str) -> np.ndarray:
        surface = pygame.Surface((1280, 720))
        painter.paint(surface, a_scene(), Status(no_face=words), replace(PLAIN, no_face=True))
        return pygame.surfarray.array3d(surface)

    assert (shown("Kein Gesicht") != shown("No face found")).any()


@pytest.mark.parametrize("size_wh", [(320, 240), (333, 777), (1920, 1080), (60, 40), (1, 1)])
@pytest.mark.parametrize("frame_hw", [(480, 640), (2000, 20), (1, 1)])
def test_any_size(
    size_wh: tuple[int, int],
    frame_hw: tuple[int, int],
    painter: Painter,
    face: Callable[..., Face],
    hand: Callable[..., Hand],
) -> None:
    scene = a_scene(face(), hand(uncertain=True), size_hw=frame_hw)
    choices = Choices(mirror=True, landmarks=True, keys=True, no_face=True)
    status = Status(caption="words " * 40, message="more words " * 40, recording=True, paused=True, muted=True)
    painter.paint(pygame.Surface(size_wh), scene, status, choices)
    painter.paint(pygame.Surface(size_wh), None, status, choices)


def test_the_frame_is_not_changed(painter: Painter, face: Callable[..., Face]) -> None:
    scene = a_scene(face(), size_hw=(720, 960))
    assert scene.image_rgb is not None
    scene.image_rgb.flags.writeable = False
    painted(painter, scene)
    assert (scene.image_rgb == 120).all()


@pytest.mark.parametrize(
    "words", ["\0", "a\nb\tc", "\ud800", "日本語", "مرحبا", "😀", "\u200b", "x" * 5000, "%s {label}", "ž" * 30]
)
def test_any_words(words: str, painter: Painter, face: Callable[..., Face]) -> None:
    status = Status(
        caption=words, message=words, notice=words, recording_to=words, stage_ms={words: 3.0}, fps=float("nan")
    )
    assert painted(painter, a_scene(face()), status).shape == (720, 1280, 3)


def test_other_label_sets(painter: Painter, face: Callable[..., Face]) -> None:
    prediction = face("happy").prediction
    assert prediction is not None
    labels = [f"sign {i}" for i in range(26)]
    many = Section("gesture", labels)
    assert panel_size_hw([many])[0] > panel_size_hw([Section("gesture", labels[:5])])[0]
    eight = face("happy")
    image = painted(painter, a_scene(eight), Status(tasks=("emotion", "something new")))
    assert bar(image, label_colour("happy")) > 10


def test_lettering_measures_what_it_draws() -> None:
    lettering = Lettering()
    for words, size in (("looks happy 91 %", 12), ("You look happy.", 27), ("ä", 15)):
        assert abs(lettering.text(words, size, LIGHT).get_width() - lettering.width(words, size)) <= 1
    assert lettering.text("", 20, LIGHT).get_width() == 1
    assert lettering.fitted("a long sentence", 20, 60, LIGHT).get_width() <= 60


def test_plates_have_smooth_corners_and_their_opacity() -> None:
    plate = Lettering().plate(40, 20, DARK, 0.8, 6)
    opacity = pygame.surfarray.array_alpha(plate)
    assert opacity[20, 10] == 204
    assert opacity[0, 0] == 0
    assert len(np.unique(opacity)) > 4
    assert (opacity == opacity[::-1]).all()
    assert (opacity == opacity[:, ::-1]).all()


def test_progress_is_a_bar_as_long_as_its_share(painter: Painter) -> None:
    scene = a_scene()
    bare = painted(painter, scene, Status(caption="show it"))
    widths = []
    for share in (0.0, 0.25, 1.0):
        picture = painted(painter, scene, Status(caption="show it", progress=share))
        done = (picture == (0, 158, 115)).all(axis=2)
        widths.append(int(done.any(axis=0).sum()))
        assert not (bare == picture).all()
    assert widths[0] == 0
    assert widths[1] == pytest.approx(widths[2] / 4, abs=2)
    assert widths[2] > 300


def letters_high(image: np.ndarray) -> int:
    """Rows of the caption that have letters, in the lower middle of a window."""
    lower = image[image.shape[0] // 2 :, image.shape[1] // 5 : image.shape[1] // 2]
    return int(np.ptp(np.flatnonzero((lower > 230).all(axis=2).any(axis=1))))


def test_large_captions_can_be_read_from_three_metres() -> None:
    """On a screen of 24 inches (531 mm wide) with 1920 x 1080 pixels: capitals of 15 mm, 1/200 of the distance."""
    size_wh = (1920, 1080)
    usual, large = (
        letters_high(painted(Painter(large_text=is_large), a_scene(), Status(caption="HHHHH HHHH"), size_wh))
        for is_large in (False, True)
    )
    assert large * 531 / 1920 >= 15 > usual * 531 / 1920


def test_a_caption_that_no_font_can_write_is_no_row_of_boxes(
    painter: Painter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MIEN_FONTS", str(tmp_path))
    shown = painted(painter, a_scene(), Status(caption="干得漂亮。"))
    told = painted(painter, a_scene(), Status(caption=say("font.caption")))
    assert np.array_equal(shown, told)


def test_a_chinese_caption(painter: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIEN_FONTS", raising=False)
    if not is_drawable("干得漂亮"):
        pytest.skip("no font here has Chinese characters: install fonts-noto-cjk")
    images = [painted(painter, a_scene(), Status(caption=text)) for text in ("干得漂亮", "亮漂得干", "")]
    marks = [int((image[360:] > 230).all(axis=2).sum()) for image in images]
    assert marks[0] > marks[2] + 200
    assert marks[0] == pytest.approx(marks[1], rel=0.05)
    assert not np.array_equal(images[0], images[1])


@pytest.mark.parametrize("size", [15, 20, 28, 47])
@pytest.mark.parametrize("text", ["笑起来真好看 gjpqy", "蘁讓龘", "Ẵ心ç"])
def test_letters_of_another_font_are_whole_and_stay_on_their_line(text: str, size: int) -> None:
    whole = letters_of(text, size, bold=True)
    if whole is None:
        pytest.skip("no font here has these letters: install fonts-noto-cjk")
    lettering = Lettering()
    drawn = pygame.surfarray.array_alpha(lettering.text(text, size, LIGHT)).T
    shown = np.flatnonzero((drawn > 0).any(axis=1))
    rows = np.flatnonzero((whole.cover > 0).any(axis=1))
    assert shown[-1] - shown[0] == rows[-1] - rows[0], "cut off at the top or at the bottom"
    assert lettering.pitch([text, "Gg"], size) >= max(len(drawn), lettering.height(size))


def test_lines_of_a_caption_do_not_reach_into_each_other(painter: Painter) -> None:
    if not is_drawable("看"):
        pytest.skip("no font here has Chinese characters: install fonts-noto-cjk")
    image = painted(painter, a_scene(), Status(caption="整个看龘" * 20), (640, 480))
    rows = (image[300:] > 200).all(axis=2).any(axis=1)
    starts = np.flatnonzero(rows[1:] & ~rows[:-1])
    assert len(starts) >= 2, "a free row between two lines"
