from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.labels import EMOTIONS, EMOTIONS_8, GESTURES, LabelSet
from mien.outputs.chart import MOST_ROWS, draw_chart, stacked, verdict
from mien.outputs.draw import Picture
from mien.outputs.palette import label_colour
from mien.pixels.images import read_image
from mien.scene import Prediction


def prediction(labels: LabelSet, best: str, confidence: float, *, uncertain: bool = False) -> Prediction:
    rest = (1 - confidence) / (len(labels) - 1)
    scores = {label: confidence if label == best else rest for label in labels.labels}
    return Prediction(label=best, confidence=confidence, uncertain=uncertain, probabilities=scores)


def photo(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def coloured(picture: Picture, label: str) -> int:
    """How many pixels have exactly the label's colour."""
    return int((picture.image_rgb == label_colour(label)).all(axis=2).sum())


@pytest.mark.parametrize(
    ("task", "best", "confidence", "uncertain", "words"),
    [
        ("emotion", "happy", 0.914, False, "looks happy (91 %)"),
        ("emotion", "fear", 0.6, False, "looks afraid (60 %)"),
        ("emotion", "sad", 0.41, True, "unclear: sad or surprised"),
        ("gesture", "victory", 0.99, False, "shows victory (99 %)"),
        ("gesture", "none", 1.0, False, "shows no known gesture (100 %)"),
    ],
)
def test_the_words_are_kind_and_say_how_sure(
    task: str, best: str, confidence: float, uncertain: bool, words: str
) -> None:
    labels = EMOTIONS if task == "emotion" else GESTURES
    assert verdict(prediction(labels, best, confidence, uncertain=uncertain), task) == words


@pytest.mark.parametrize("size", [(1, 1), (48, 48), (900, 60), (60, 900), (1080, 1920)])
def test_a_photo_of_any_size_gives_a_chart_of_one_size(size: tuple[int, int]) -> None:
    drawn = draw_chart(photo(*size), prediction(EMOTIONS, "happy", 0.9), task="emotion", name="a.jpg")
    plain = draw_chart(photo(48, 48), prediction(EMOTIONS, "sad", 0.9), task="emotion")
    assert drawn.image_rgb.shape == plain.image_rgb.shape
    assert drawn.image_rgb.dtype == np.uint8


@pytest.mark.parametrize("labels", [EMOTIONS, EMOTIONS_8, GESTURES])
def test_every_label_has_a_bar_as_long_as_its_score(labels: LabelSet) -> None:
    black = np.zeros((50, 50, 3), np.uint8)
    few, many = (draw_chart(black, prediction(labels, labels.labels[0], share), task="emotion") for share in (0.4, 0.8))
    assert all(coloured(few, label) > 0 for label in labels.labels)
    assert coloured(many, labels.labels[0]) == pytest.approx(2 * coloured(few, labels.labels[0]), rel=0.03)
    assert coloured(many, labels.labels[1]) < coloured(few, labels.labels[1])


def test_the_box_is_drawn_on_the_photo_only() -> None:
    image, box = photo(200, 200), (50.0, 60.0, 260.0, 150.0)
    answer = prediction(EMOTIONS, "happy", 0.9)
    without = draw_chart(image, answer, task="emotion").image_rgb
    boxed = draw_chart(image, answer, task="emotion", box_xyxy=box).image_rgb
    changed = np.flatnonzero((without != boxed).any(axis=(0, 2)))
    assert len(changed)
    assert changed.max() < 24 + 400 + 4, "what reaches beyond the photo is drawn at its edge"


def test_names_that_are_long_or_not_ascii_do_no_harm() -> None:
    answer = prediction(EMOTIONS, "happy", 0.9)
    plain = draw_chart(photo(48, 48), answer, task="emotion").image_rgb
    for name in ("Müller 微笑.jpg", "x" * 300):
        named = draw_chart(photo(48, 48), answer, task="emotion", name=name).image_rgb
        changed = np.flatnonzero((plain != named).any(axis=(0, 2)))
        assert changed.max() < 24 + 400 + 8, "the name stays under the photo"


def test_the_photo_itself_is_not_changed() -> None:
    image = photo(100, 100)
    before = image.copy()
    draw_chart(image, prediction(EMOTIONS, "happy", 0.9), task="emotion", box_xyxy=(1, 1, 50, 50))
    assert (image == before).all()


def test_charts_are_stacked_and_saved(tmp_path: Path) -> None:
    one = draw_chart(photo(48, 48), prediction(EMOTIONS, "happy", 0.9), task="emotion")
    sheet = stacked([one, one, one])
    assert sheet.image_rgb.shape[0] == 3 * one.image_rgb.shape[0]
    sheet.save(tmp_path / "chart.png")
    assert (read_image(tmp_path / "chart.png") == sheet.image_rgb).all()
    with pytest.raises(ValueError, match="1 to 50"):
        stacked([one] * (MOST_ROWS + 1))
