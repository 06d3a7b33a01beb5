from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.artwork.cast import PEOPLE
from mien.artwork.drawings import draw_face
from mien.data.dataset import Dataset
from mien.errors import RecipeError
from mien.evaluation.evaluated_model import prepared
from mien.pixels.preprocess import InputSpec
from mien.recipes.recipe import load_recipe
from mien.train.export import views
from mien.train.export.views import a_moment_apart, batches_of_views

SPEC = InputSpec(size_hw=(48, 48), colour="grey", mean=(0.5,), std=(0.25,), margin=0.05, level=True)


@pytest.fixture(scope="module")
def noise() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (5, 48, 48), np.uint8)


def test_pictures_without_a_face_keep_their_own_frame(noise: NDArray[np.uint8]) -> None:
    (own, detected), missed = batches_of_views(noise, SPEC, ("own", "detected"))
    assert missed == 5
    np.testing.assert_array_equal(own, prepared(noise, SPEC))
    np.testing.assert_array_equal(detected, own)


def test_only_their_own_frame_asks_no_detector(tiny_faces: Dataset) -> None:
    spec = InputSpec(size_hw=(16, 16), colour="grey")
    (own,), missed = batches_of_views(tiny_faces.samples, spec, ("own",))
    assert missed == 0
    np.testing.assert_array_equal(own, prepared(tiny_faces.samples, spec))


def test_the_camera_spoils_most_of_them_and_the_same_every_time(noise: NDArray[np.uint8]) -> None:
    many = np.tile(noise, (8, 1, 1))
    (own, _, camera), _ = batches_of_views(many, SPEC, ("own", "detected", "camera"))
    (_, again), _ = batches_of_views(many, SPEC, ("own", "camera"))
    np.testing.assert_array_equal(camera, again)
    changed = (np.abs(camera - own).reshape(len(many), -1).mean(axis=1) > 0.02).mean()
    assert 0.5 < changed < 1


def test_a_moment_later_is_nearly_the_same(noise: NDArray[np.uint8]) -> None:
    smooth = np.tile(np.linspace(40, 200, 48).astype(np.uint8), (6, 48, 1))
    before, after = a_moment_apart(smooth, SPEC, ("own",))
    np.testing.assert_array_equal(before, prepared(smooth, SPEC))
    assert after.shape == before.shape
    difference = 0.25 * 255 * np.abs(after - before).mean(axis=(1, 2, 3))
    assert ((difference > 1) & (difference < 40)).all()
    assert len(np.unique(difference)) == 6, "each in its own way"
    np.testing.assert_array_equal(after, a_moment_apart(smooth, SPEC, ("own",))[1])
    colour = np.repeat(noise[..., None], 3, axis=3)
    assert a_moment_apart(colour, SPEC, ("own",))[1].shape == (5, 1, 48, 48)


def test_a_moment_later_the_detector_finds_the_face_anew(
    noise: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = [draw_face("neutral", person=who, size=240)[24:192, 36:204].mean(axis=2) for who in PEOPLE]
    small = np.stack([cv2.resize(face, (48, 48), interpolation=cv2.INTER_AREA) for face in faces]).astype(np.uint8)
    before, _ = a_moment_apart(np.concatenate([small[:2], noise[:3], small[2:]]), SPEC, ("own", "detected"))
    (detected,), missed = batches_of_views(small, SPEC, ("detected",))
    assert missed == 0
    np.testing.assert_array_equal(before, detected, "what shows no face is left out")
    monkeypatch.setattr(views, "_moved", lambda picture, _: np.roll(picture, picture.shape[1] // 8, axis=1))
    followed, in_place = (
        1 - np.array([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(*pair, strict=True)])
        for pair in (a_moment_apart(small, SPEC, ("own", "detected")), a_moment_apart(small, SPEC, ("own",)))
    )
    assert ((followed > 0) & (followed < 0.5 * in_place)).all(), "the crop goes with the face"
    nothing = a_moment_apart(noise, SPEC, ("own", "detected"))
    np.testing.assert_array_equal(nothing[0], prepared(noise, SPEC))


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("emotion", {"export.views": '["detected", "own"]'}, 'must be distinct and begin with "own"'),
        ("emotion", {"export.views": '["own", "own"]'}, "must be distinct"),
        ("gesture_four", {"export.views": '["own", "camera"]'}, 'must be "own" for hands'),
        ("gesture_four", {"export.mirror": "logits"}, "landmarks, which have no mirrored view"),
    ],
)
def test_recipes_that_ask_for_what_there_is_not(name: str, changes: dict[str, str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(name, changes=changes)
