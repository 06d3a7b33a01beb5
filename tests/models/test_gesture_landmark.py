"""The shipped gesture model on drawn hands, and on hands of people it was never trained on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mien.artwork import drawings
from mien.artwork.hand import POSES, Finger, HandPose
from mien.data.hands import HELD_BACK, bordered, crowd_part
from mien.labels import GESTURES
from mien.models.artifact import zoo_artifact
from mien.pipeline import CropReader, Options
from mien.pixels.images import read_image

_CLOSED = {"index": Finger(1), "middle": Finger(0), "ring": Finger(-1), "little": Finger(-3)}
FLAT = {
    "spread": POSES["palm"],
    "fingers together, thumb away": HandPose(POSES["palm"].thumb, _CLOSED),
    "fingers and thumb together": HandPose(
        ((0.30, -0.22, 0.04), (0.46, -0.50, 0.10), (0.50, -0.78, 0.12), (0.46, -1.02, 0.12)), _CLOSED
    ),
}
CROWD = {
    "call": "call",
    "dislike": "thumb_down",
    "fist": "punch",
    "like": "thumb_up",
    "mute": "point",
    "ok": "super",
    "one": "point",
    "palm": "palm",
    "peace": "victory",
    "rock": "rock",
    "stop": "palm",
    "stop_inverted": "palm",
    "none": "none",
}


@pytest.fixture(scope="module")
def reader() -> Iterator[CropReader]:
    with CropReader("gesture", Options(threads=1)) as crops:
        yield crops


def test_it_names_all_gestures_and_ships_small() -> None:
    artifact = zoo_artifact("gesture_landmark")
    assert artifact.manifest.label_set is GESTURES
    assert artifact.model_path.stat().st_size <= 1_000_000
    assert "HaGRID" in artifact.manifest.licence


@pytest.mark.parametrize("pose", list(FLAT))
def test_a_drawn_flat_hand_is_a_palm_and_nothing_else_for_sure(
    reader: CropReader, monkeypatch: pytest.MonkeyPatch, pose: str
) -> None:
    monkeypatch.setitem(POSES, "flat", FLAT[pose])
    answers = []
    for size in (96, 160, 384):
        for degrees in (-35, 0, 20):
            for left in (False, True):
                image_rgb = drawings.draw_hand("flat", person="chen", size=size, angle=math.radians(degrees), left=left)
                prediction = reader.read(image_rgb)
                assert prediction.label == "palm" or prediction.uncertain, (size, degrees, left, prediction)
                answers.append(prediction.label)
    assert answers.count("palm") >= 0.8 * len(answers)


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("gesture", GESTURES.labels)
def test_a_drawn_gesture_is_named(reader: CropReader, gesture: str, left: bool) -> None:
    answers = [
        reader.read(drawings.draw_hand(gesture, person=who, left=left, size=384, angle=math.radians(degrees))).label
        for degrees in (-15, 0, 15)
        for who in ("chen", "ben")
    ]
    assert answers.count(gesture) >= 5, answers


def test_a_thumb_held_aside_is_neither_up_nor_down_for_sure(reader: CropReader) -> None:
    for left in (False, True):
        for degrees in (-90, 90):
            image_rgb = drawings.draw_hand("thumb_up", person="chen", left=left, size=384, angle=math.radians(degrees))
            prediction = reader.read(image_rgb)
            assert prediction.uncertain or prediction.label not in ("thumb_up", "thumb_down"), (left, degrees)


def test_a_mirrored_picture_shows_the_same_gesture(reader: CropReader) -> None:
    for gesture in GESTURES.labels:
        image_rgb = drawings.draw_hand(gesture, person="dia", size=384)
        assert reader.read(np.ascontiguousarray(image_rgb[:, ::-1])).label == gesture


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("kind", list(CROWD))
def test_hands_of_people_never_trained_on(reader: CropReader, data_root: Path, kind: str) -> None:
    folder = data_root / "hands_many" / kind
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    paths = [path for path in sorted(folder.glob("*.jpg")) if crowd_part(path.name) == HELD_BACK][:100]
    predictions = [reader.read(bordered(read_image(path))) for path in paths]
    right = sum(prediction.label == CROWD[kind] for prediction in predictions)
    wrong = [
        (path.name, prediction.label)
        for path, prediction in zip(paths, predictions, strict=True)
        if not prediction.uncertain and prediction.label != CROWD[kind]
    ]
    assert len(paths) == 100
    assert right >= 90, right
    assert len(wrong) <= 4, wrong
