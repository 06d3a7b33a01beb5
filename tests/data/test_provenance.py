from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.data.provenance import provenance_of
from mien.labels import EMOTIONS, GESTURES_5


def images(samples: np.ndarray, source: str = "fer2013.csv") -> Dataset:
    count = len(samples)
    return Dataset(
        samples=samples,
        labels=np.arange(count) % 7,
        split=np.full(count, "train"),
        groups=np.full(count, ""),
        label_set=EMOTIONS,
        source=source,
    )


def landmarks(source: str) -> Dataset:
    hands = images(np.zeros((7, 21, 3), np.float32), source)
    return replace(hands, label_set=GESTURES_5, labels=np.arange(7) % 5)


@pytest.mark.parametrize("shape", [(48, 48), (30, 40, 3), (96, 96, 3)])
def test_own_pictures_are_ones_own_whatever_their_file_is_called(shape: tuple[int, ...]) -> None:
    samples = np.random.default_rng(0).integers(0, 255, (60, *shape), np.uint8)
    assert provenance_of(images(samples)) == "images"
    assert provenance_of(images(np.zeros((9, *shape), np.uint8))) == "images"


@pytest.mark.parametrize(
    ("source", "provenance"),
    [
        ("asl_alphabet, massey", "sign_language"),
        ("asl_alphabet, massey, signer_b, signer_c, webcam", "sign_language"),
        ("asl_alphabet, hands_many, massey", "many_hands"),
        ("hands_many", "many_hands"),
        ("hands_many, mine", "hands"),
        ("asl_alphabet, mine", "hands"),
        ("mine", "hands"),
        ("", "hands"),
    ],
)
def test_hands_are_from_where_their_folders_say(source: str, provenance: str) -> None:
    assert provenance_of(landmarks(source)) == provenance


@pytest.mark.data
@pytest.mark.slow
def test_fer2013_is_known_by_its_images(fer2013: Dataset) -> None:
    whole = fer2013
    assert provenance_of(whole) == "fer2013"
    for split in ("train", "validation", "test"):
        assert provenance_of(replace(whole.part(split), source="faces")) == "fer2013"
    part = whole.where(np.random.default_rng(0).random(len(whole)) < 0.1)
    jpeg = [cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], 0) for image in part.samples]
    assert provenance_of(images(np.stack(jpeg))) == "fer2013"
    mirrored = np.ascontiguousarray(whole.samples[:, :, ::-1])
    assert provenance_of(images(mirrored)) == "images", "as many other faces"
