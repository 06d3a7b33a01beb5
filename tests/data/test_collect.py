from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.collect import (
    ALIKE,
    ALIKE_BITS,
    BLURRED,
    KEPT,
    SHARPNESS,
    Collection,
    Collector,
    file_stem,
    sharpness,
)
from mien.data.crops import Cropper, crop_spec
from mien.data.likeness import perceptual_hashes
from mien.data.readers.folders import load_folders
from mien.errors import DataError, OutputError, UnknownName
from mien.labels import EMOTIONS, GESTURES
from mien.pixels.images import write_image
from mien.scene import Face

CONSENT = "Only people who have agreed."


class WholePicture:
    """Finds as many faces, all of the picture's size, as the red of the first pixel says."""

    def detect(self, image_rgb: NDArray[np.uint8]) -> Sequence[Face]:
        height, width = image_rgb.shape[:2]
        return [Face(box_xyxy=(0, 0, width, height), detection_score=0.9)] * int(image_rgb[0, 0, 0])

    def close(self) -> None:
        pass


@pytest.fixture
def cropper() -> Cropper:
    return Cropper("emotion", crop_spec("emotion"), detector=WholePicture())


def shot(seed: int, *, faces: int = 1, blur: float = 0.0) -> NDArray[np.uint8]:
    """(120, 120, 3): random patches with hard edges, so that every seed looks another and all are sharp."""
    patches = np.random.default_rng(seed).integers(40, 220, (12, 12, 3), np.uint8)
    image = np.kron(patches, np.ones((10, 10, 1), np.uint8))
    if blur:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    image[0, 0, 0] = faces
    return np.asarray(image, np.uint8)


def collector(root: Path, cropper: Cropper, **options: Any) -> Collector:
    collection = Collection(root, "emotion")
    label = collection.add_label(options.pop("label", "happy"))
    person = options.pop("person", "anna")
    collection.record_consent(label, person, shown=CONSENT)
    return Collector(collection, cropper, label=label, person=person, **options)


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))


def test_good_shots_become_a_data_set(tmp_path: Path, cropper: Cropper) -> None:
    taking = collector(tmp_path / "own", cropper)
    assert [taking.offer(shot(seed)) for seed in range(3)] == [KEPT] * 3
    assert files(tmp_path / "own") == [f"happy/anna_000{i}.png" for i in (1, 2, 3)]
    dataset = load_folders(tmp_path / "own", size_hw=(48, 48))
    assert dataset.label_set is EMOTIONS
    assert dataset.groups.tolist() == ["anna"] * 3
    spec = crop_spec("emotion")
    expected = [cropper.cut(shot(seed), cropper.find(shot(seed))[0], spec=spec) for seed in range(3)]
    np.testing.assert_array_equal(dataset.samples, expected)


def test_what_is_refused_is_counted(tmp_path: Path, cropper: Cropper) -> None:
    taking = collector(tmp_path, cropper)
    offered = [shot(1, faces=0), shot(1, faces=2), shot(1, blur=5), shot(1), shot(1), shot(2)]
    assert [taking.offer(image) for image in offered] == ["no face", "several faces", BLURRED, KEPT, ALIKE, KEPT]
    assert taking.seen == {"no face": 1, "several faces": 1, BLURRED: 1, KEPT: 2, ALIKE: 1}


def test_the_largest_of_several_may_be_taken(tmp_path: Path, cropper: Cropper) -> None:
    assert collector(tmp_path, cropper, largest=True).offer(shot(1, faces=3)) == KEPT


def test_a_later_run_goes_on_and_knows_what_is_there(tmp_path: Path, cropper: Cropper) -> None:
    collector(tmp_path, cropper).offer(shot(1))
    later = collector(tmp_path, cropper)
    assert [later.offer(shot(seed)) for seed in (1, 2)] == [ALIKE, KEPT]
    assert files(tmp_path) == ["happy/anna_0001.png", "happy/anna_0002.png"]


def test_shots_of_others_and_of_other_labels_may_look_alike(tmp_path: Path, cropper: Cropper) -> None:
    for options in ({}, {"person": "ben"}, {"label": "sad"}):
        assert collector(tmp_path, cropper, **options).offer(shot(1)) == KEPT
    assert files(tmp_path) == ["happy/anna_0001.png", "happy/ben_0001.png", "sad/anna_0001.png"]


def test_two_people_whose_files_are_called_alike_stay_apart(tmp_path: Path, cropper: Cropper) -> None:
    for person in ("a b", "a/b"):
        assert collector(tmp_path, cropper, person=person).offer(shot(1)) == KEPT
    assert load_folders(tmp_path, size_hw=(8, 8)).groups.tolist() == ["a b", "a/b"]


@pytest.mark.parametrize(
    ("person", "stem"),
    [("anna", "anna"), ("../../x", "x"), (".hidden", "hidden"), ("Zoë K.", "Zoë-K"), ("***", "person")],
)
def test_an_id_as_a_file_name(person: str, stem: str) -> None:
    assert file_stem(person) == stem


def test_consent_is_kept_with_date_person_and_label(tmp_path: Path, cropper: Cropper) -> None:
    for seed in (1, 2):
        collector(tmp_path, cropper).offer(shot(seed))
    (entry,) = json.loads((tmp_path / "dataset.json").read_text("utf-8"))["consent"]
    assert (entry["person"], entry["label"], entry["text"]) == ("anna", "happy", CONSENT)
    assert len(entry["date"]) == 10


def test_nothing_is_written_before_the_first_shot(tmp_path: Path, cropper: Cropper) -> None:
    collector(tmp_path / "own", cropper).offer(shot(1, faces=0))
    assert not (tmp_path / "own").exists()


def test_a_shot_that_cannot_be_written_leaves_a_good_data_set(
    tmp_path: Path, cropper: Cropper, monkeypatch: pytest.MonkeyPatch
) -> None:
    taking = collector(tmp_path, cropper)
    taking.offer(shot(1))

    def fill(_crop: NDArray[np.uint8]) -> bytes:
        raise OutputError("the disk is full")

    monkeypatch.setattr("mien.data.collect._png", fill)
    with pytest.raises(OutputError):
        taking.offer(shot(2))
    monkeypatch.undo()
    assert len(load_folders(tmp_path, size_hw=(48, 48))) == 1
    assert collector(tmp_path, cropper).offer(shot(2)) == KEPT
    assert load_folders(tmp_path, size_hw=(48, 48)).groups.tolist() == ["anna"] * 2


def test_labels_are_those_of_the_task_or_any(tmp_path: Path, cropper: Cropper) -> None:
    collection = Collection(tmp_path, "emotion")
    assert collection.add_label("Happiness") == "happy"
    with pytest.raises(UnknownName, match="'happy'"):
        collection.add_label("hapy")
    collection.add("happy", "anna", np.zeros((48, 48), np.uint8))
    assert collection.add_label("bored", any_label=True) == "bored"
    assert collection.labels == ("happy", "bored")
    with pytest.raises(DataError, match="plain word"):
        collection.add_label("a/b", any_label=True)
    collection.add("bored", "anna", np.full((48, 48), 9, np.uint8))
    assert Collection(tmp_path, "emotion").add_label("bored") == "bored"
    assert load_folders(tmp_path, size_hw=(48, 48)).label_set.labels == ("happy", "bored")


def test_hands_are_kept_in_colour(tmp_path: Path) -> None:
    cropper = Cropper("gesture", crop_spec("gesture"), detector=WholePicture())
    collection = Collection(tmp_path, "gesture")
    taking = Collector(collection, cropper, label=collection.add_label("V"), person="anna")
    assert taking.offer(shot(1)) == KEPT
    dataset = load_folders(tmp_path, size_hw=(100, 100), colour="rgb")
    assert dataset.label_set is GESTURES
    expected = cropper.cut(shot(1), cropper.find(shot(1))[0])
    np.testing.assert_array_equal(dataset.samples[0], expected)


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path, cropper: Cropper) -> None:
    write_image(tmp_path / "party/1.png", shot(1))
    with pytest.raises(OutputError, match="was not collected here"):
        Collection(tmp_path / "party", "emotion")
    (tmp_path / "party/dataset.json").write_text('{"version": 1, "labels": ["happy"]}')
    with pytest.raises(OutputError, match="was not collected here"):
        Collection(tmp_path / "party", "emotion")
    with pytest.raises(OutputError, match="file"):
        Collection(tmp_path / "party/1.png", "emotion")


def test_one_folder_holds_one_task(tmp_path: Path, cropper: Cropper) -> None:
    collector(tmp_path, cropper).offer(shot(1))
    with pytest.raises(DataError, match="for the task emotion"):
        Collection(tmp_path, "gesture")


def test_damaged_facts_are_refused(tmp_path: Path, cropper: Cropper) -> None:
    collector(tmp_path, cropper).offer(shot(1))
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        Collection(tmp_path, "emotion")


@pytest.mark.parametrize(
    "consent", [[3], [{"date": "2026-01-02"}], [{"date": 1, "person": "a", "label": "b", "text": "c"}]]
)
def test_a_damaged_consent_is_refused_and_stays(tmp_path: Path, cropper: Cropper, consent: list[object]) -> None:
    collector(tmp_path, cropper).offer(shot(1))
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"consent": consent}), "utf-8")
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"dataset.json is damaged; .*consent\[0\]"):
        Collection(tmp_path, "emotion")
    assert path.read_bytes() == before


def test_what_others_wrote_into_the_facts_stays(tmp_path: Path, cropper: Cropper) -> None:
    collector(tmp_path, cropper).offer(shot(1))
    path = tmp_path / "dataset.json"
    facts = json.loads(path.read_text("utf-8")) | {"licence": {"name": "CC0"}, "splits": {"a": "test"}}
    path.write_text(json.dumps(facts), "utf-8")
    collector(tmp_path, cropper, person="b").offer(shot(2))
    after = json.loads(path.read_text("utf-8"))
    assert (after["licence"], after["splits"]) == ({"name": "CC0"}, {"a": "test"})
    assert set(after["groups"].values()) == {*facts["groups"].values(), "b"}
    assert after.keys() == facts.keys()


def test_sharpness_falls_with_blur_and_not_with_light() -> None:
    grey = cv2.cvtColor(shot(1), cv2.COLOR_RGB2GRAY)
    blurred = [sharpness(np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma), np.uint8)) for sigma in (0.5, 1, 2)]
    assert blurred == sorted(blurred, reverse=True)
    dim = np.asarray(grey * 0.5 + 20, np.uint8)
    assert sharpness(dim) == pytest.approx(sharpness(grey), rel=0.05)
    assert sharpness(np.full((48, 48), 90, np.uint8)) == 0


def perceptual_hash(image: np.ndarray) -> np.ndarray:
    return perceptual_hashes(image[None])[0]


def test_the_hash_survives_noise_light_and_compression_but_tells_pictures_apart() -> None:
    rng = np.random.default_rng(1)
    for seed in range(20):
        image = shot(seed)
        bits = perceptual_hash(image)
        noisy = np.clip(image + rng.normal(0, 5, image.shape), 0, 255).astype(np.uint8)
        packed = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR)
        for same in (noisy, np.asarray(image * 0.8 + 10, np.uint8), np.asarray(packed, np.uint8)):
            assert (perceptual_hash(same) != bits).sum() <= ALIKE_BITS
        assert (perceptual_hash(shot(seed + 100)) != bits).sum() > ALIKE_BITS


@pytest.mark.data
def test_sharp_faces_are_kept_and_blurred_ones_are_not(media: Path, tmp_path: Path) -> None:
    from mien.pixels.images import read_image

    with Cropper("emotion", crop_spec("emotion")) as cropper:
        taking = collector(tmp_path, cropper)
        for name in ("0-f1-su-ph.jpg", "15-f13-anc-ph.jpg", "justin.jpg"):
            image = read_image(media / name)
            x1, _, x2, _ = cropper.find(image)[0].box_xyxy
            assert taking.offer(np.asarray(cv2.GaussianBlur(image, (0, 0), 0.03 * (x2 - x1)), np.uint8)) == BLURRED
            assert taking.offer(image) == KEPT
            assert taking.offer(np.asarray(cv2.GaussianBlur(image, (0, 0), 0.8), np.uint8)) == ALIKE
    assert SHARPNESS > 0
