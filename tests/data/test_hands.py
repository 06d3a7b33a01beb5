from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.artwork.drawings import draw_hand
from mien.data.hands import HELD_BACK, Naming, crowd_part, find_hand_pictures, load_copies, load_hands, with_copies
from mien.errors import DataError, UnreadableMedia
from mien.labels import GESTURES, GESTURES_5
from mien.pixels.boxes import RotatedRoi
from mien.pixels.images import write_image
from mien.scene import Hand
from mien.stages.classify import canonical_landmarks
from mien.stages.hands import HandDetector


class FakeHands:
    """Finds a hand wherever the picture is not black; its shape depends on the brightness."""

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, image_rgb: NDArray[np.uint8]) -> tuple[Hand, ...]:
        """In a whole frame there is a second, larger but less certain hand."""
        self.calls += 1
        found = hand_of(int(image_rgb[0, 0, 0]) + 1)
        return (replace(hand_of(0), detection_score=0.5), found) if image_rgb.any() else ()

    def landmarks_of_crop(self, crop_rgb: NDArray[np.uint8]) -> Hand | None:
        self.calls += 1
        return hand_of(int(crop_rgb[0, 0, 0])) if crop_rgb.any() else None

    def landmarks_in_roi(self, image_rgb: NDArray[np.uint8], _square: RotatedRoi) -> Hand | None:
        """Sees nothing where it is too dark."""
        self.calls += 1
        return hand_of(int(image_rgb[0, 0, 0])) if image_rgb.mean() > 20 else None


def hand_of(value: int) -> Hand:
    points = np.random.default_rng(value).uniform(1, 60, (21, 3)).tolist()
    joints = tuple((x, y, z) for x, y, z in points)
    return Hand(box_xyxy=(0, 0, 64, 64), detection_score=0.9, side="left", landmarks_xyz=joints)


def fake() -> HandDetector:
    return cast(HandDetector, FakeHands())


def calls(detector: HandDetector) -> int:
    return cast(FakeHands, detector).calls


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def picture(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.full((8, 8, 3), value, np.uint8))


def found(root: Path, limit: int = 0) -> list[tuple[str, str, str, str]]:
    return [(p.path.name, p.gesture, p.collection, p.group) for p in find_hand_pictures(root, limit=limit)]


def test_letters_and_names_of_gestures_are_classes(tmp_path: Path) -> None:
    touch(tmp_path, "asl/A/1.jpg", "asl/L/1.jpeg", "asl/F/1.png", "asl/V/1.JPG", "own/victory/x.jpg", "own/none/y.jpg")
    assert sorted((gesture, collection) for _, gesture, collection, _ in found(tmp_path)) == [
        ("loser", "asl"),
        ("none", "own"),
        ("punch", "asl"),
        ("super", "asl"),
        ("victory", "asl"),
        ("victory", "own"),
    ]


def test_other_and_nothing_are_none_but_fists_and_the_gestures_stay_out(tmp_path: Path) -> None:
    touch(tmp_path, *(f"asl/other/{letter}12.jpg" for letter in "ABCDEFGLMNSTVYZ"), "asl/nothing/e1.jpg")
    assert [(name, gesture) for name, gesture, *_ in found(tmp_path)] == [
        ("e1.jpg", "none"),
        *((f"{letter}12.jpg", "none") for letter in "BCDGYZ"),
    ]


def test_massey_names_tell_the_signer_and_the_letter(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "massey/A/hand1_a_bot_seg_1_cropped.jpeg",
        "massey/A/hand5_a_top_seg_2_cropped.jpeg",
        "massey/other/hand2_b_bot_seg_1_cropped.jpeg",
        "massey/other/hand2_m_bot_seg_1_cropped.jpeg",
        "massey/other/hand2_1_bot_seg_1_cropped.jpeg",
        "signer_b/A/A1.jpg",
    )
    assert Counter((gesture, group) for _, gesture, _, group in found(tmp_path)) == {
        ("punch", "massey/hand1"): 1,
        ("punch", "massey/hand5"): 1,
        ("none", "massey/hand2"): 2,
        ("punch", "signer_b"): 1,
    }


def test_names_are_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, *(f"asl/A/A{i}.jpg" for i in (10, 9, 100, 1, 2)))
    assert [name for name, *_ in found(tmp_path)] == ["A1.jpg", "A2.jpg", "A9.jpg", "A10.jpg", "A100.jpg"]


def test_the_limit_is_for_each_class_and_evenly_spaced(tmp_path: Path) -> None:
    touch(tmp_path, *(f"asl/A/A{i}.jpg" for i in range(1, 12)), *(f"asl/V/V{i}.jpg" for i in range(1, 3)))
    assert [name for name, *_ in found(tmp_path, 3)] == ["A1.jpg", "A6.jpg", "A11.jpg", "V1.jpg", "V2.jpg"]
    assert len(found(tmp_path, 0)) == 13


def test_the_limit_counts_after_fists_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, *(f"asl/other/E{i}.jpg" for i in range(20)), "asl/other/B1.jpg", "asl/other/C1.jpg")
    assert [name for name, *_ in found(tmp_path, 2)] == ["B1.jpg", "C1.jpg"]


def test_other_folders_and_files_are_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "asl/A/A1.jpg", "asl/A/notes.txt", "asl/B/B1.jpg", "README.md")
    (tmp_path / "asl" / "A" / "folder.jpg").mkdir()
    assert [name for name, *_ in found(tmp_path)] == ["A1.jpg"]
    assert str(tmp_path / "asl" / "B") in caplog.text


def test_a_wrong_root(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia, match="is not a folder"):
        find_hand_pictures(tmp_path / "none")
    touch(tmp_path, "asl/A/A1.jpg")
    with pytest.raises(UnreadableMedia, match="is not a folder"):
        find_hand_pictures(tmp_path / "asl/A/A1.jpg")
    with pytest.raises(DataError, match="no pictures in folders <data set>/<class>, with a class of loser"):
        find_hand_pictures(tmp_path / "asl")


def test_pictures_without_a_hand_are_left_out(tmp_path: Path) -> None:
    for name, value in (("A/A1", 50), ("A/A2", 0), ("V/V1", 90)):
        picture(tmp_path / "asl" / f"{name}.png", value)
    steps: list[int] = []
    dataset, has_hand = load_hands(find_hand_pictures(tmp_path), fake(), on_step=steps.append)
    assert has_hand.tolist() == [True, False, True]
    assert steps == [1, 2, 3]
    assert [GESTURES.labels[i] for i in dataset.labels] == ["punch", "victory"]
    assert dataset.split.tolist() == ["train", "train"]
    assert dataset.groups.tolist() == ["asl", "asl"]
    assert dataset.source == "asl"
    np.testing.assert_array_equal(
        dataset.samples, np.stack([canonical_landmarks(hand_of(50)), canonical_landmarks(hand_of(90))])
    )


def test_in_whole_frames_the_most_certain_hand_is_taken(tmp_path: Path) -> None:
    for name in ("asl/A/1", "webcam/A/1"):
        picture(tmp_path / "data" / f"{name}.png", 50)
    picture(tmp_path / "data/webcam/A/2.png", 0)
    pictures, cache = find_hand_pictures(tmp_path / "data"), tmp_path / "cache"
    dataset, has_hand = load_hands(pictures, fake(), whole_frames=["webcam"], cache=cache)
    assert has_hand.tolist() == [True, True, False]
    np.testing.assert_array_equal(
        dataset.samples, np.stack([canonical_landmarks(hand_of(50)), canonical_landmarks(hand_of(51))])
    )
    # The same pictures taken as crops are other landmarks, so the cache does not serve them.
    as_crops, _ = load_hands(pictures, fake(), cache=cache)
    np.testing.assert_array_equal(as_crops.samples[0], as_crops.samples[1])


def test_a_damaged_picture_is_said_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    picture(tmp_path / "asl/A/A1.png", 50)
    touch(tmp_path, "asl/A/A2.png")
    dataset, has_hand = load_hands(find_hand_pictures(tmp_path), fake())
    assert len(dataset) == 1
    assert has_hand.tolist() == [True, False]
    assert "A2.png" in caplog.text


def test_landmarks_are_found_once_and_then_read(tmp_path: Path) -> None:
    for i in range(3):
        picture(tmp_path / "data" / "asl" / "A" / f"A{i}.png", 40 * i)
    cache = tmp_path / "cache"
    first, second = fake(), fake()
    pictures = find_hand_pictures(tmp_path / "data")
    made, mask = load_hands(pictures, first, cache=cache)
    again, mask_again = load_hands(pictures, second, cache=cache)
    assert (calls(first), calls(second)) == (3, 0)
    assert made.fingerprint() == again.fingerprint()
    assert mask.tolist() == mask_again.tolist() == [False, True, True]
    assert [path.name for path in cache.iterdir()] == ["hands-with-top.npz"]


def test_only_new_and_changed_pictures_are_looked_at(tmp_path: Path) -> None:
    picture(tmp_path / "data/asl/A/A1.png", 40)
    cache = tmp_path / "cache"
    load_hands(find_hand_pictures(tmp_path / "data"), fake(), cache=cache)
    picture(tmp_path / "data/asl/A/A2.png", 50)
    detector = fake()
    assert len(load_hands(find_hand_pictures(tmp_path / "data"), detector, cache=cache)[0]) == 2
    assert calls(detector) == 1
    path = tmp_path / "data/asl/A/A1.png"
    path.write_bytes(path.read_bytes() + b" ")
    load_hands(find_hand_pictures(tmp_path / "data"), detector, cache=cache)
    assert calls(detector) == 2


def test_copies_are_read_once_and_those_without_a_hand_left_out(tmp_path: Path) -> None:
    for name, value in (("asl/A/A1", 90), ("own/V/V1", 90), ("own/V/V2", 0)):
        picture(tmp_path / "data" / f"{name}.png", value)
    pictures, cache = find_hand_pictures(tmp_path / "data"), tmp_path / "cache"
    steps: list[int] = []
    copies = load_copies(pictures, fake(), 3, cache=cache, on_step=steps.append)
    assert steps == [1, 2, 3]
    assert set(copies.groups.tolist()) == {"asl", "own"}
    assert 2 <= len(copies) <= 6
    assert copies.samples.shape[1:] == (21, 3)
    second = fake()
    again = load_copies(pictures, second, 3, cache=cache, on_step=steps.append)
    assert calls(second) == 0
    assert len(steps) == 3
    assert again.fingerprint() == copies.fingerprint()


def test_copies_of_a_hand_that_points_down_know_where_the_top_of_its_picture_is(tmp_path: Path) -> None:
    for gesture, place in (("thumb_down", "crowd/dislike/1.png"), ("thumb_up", "crowd/like/1.png")):
        path = tmp_path / place
        path.parent.mkdir(parents=True)
        write_image(path, draw_hand(gesture, person="chen", size=300))
    naming = Naming(classes={"like": "thumb_up", "dislike": "thumb_down"})
    pictures = find_hand_pictures(tmp_path, naming=naming)
    with HandDetector(threads=1) as detector:
        plain, _ = load_hands(pictures, detector, with_top=True)
        copies = load_copies(pictures, detector, 4, with_top=True)
    assert len(plain) == 2
    assert len(copies) >= 4
    for hands in (plain, copies):
        thumbs = hands.samples[:, 4, :2] - hands.samples[:, 2, :2]
        rise = (thumbs * hands.samples[:, 21, :2]).sum(axis=1) / np.linalg.norm(thumbs, axis=1)
        is_up = hands.labels == GESTURES.index("thumb_up")
        assert (rise[is_up] > 0.5).all()
        assert (rise[~is_up] < -0.5).all()


def test_copies_of_those_held_back_are_not_trained_on(tmp_path: Path) -> None:
    for i in range(2):
        picture(tmp_path / f"asl/A/A{i}.png", 90)
        picture(tmp_path / f"own/V/V{i}.png", 90)
    pictures = find_hand_pictures(tmp_path)
    dataset, _ = load_hands(pictures, fake())
    copies = load_copies(pictures, fake(), 4)
    split = np.where(dataset.groups == "own", "test", "train").astype("<U10")
    both = with_copies(replace(dataset, split=split), copies)
    assert (both.groups == "own").sum() == 2
    assert (both.groups == "asl").sum() == 2 + (copies.groups == "asl").sum()
    assert set(both.split[both.groups == "asl"].tolist()) == {"train"}


@pytest.mark.parametrize("damage", ["half", "empty", "text", "other-arrays", "flipped"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    for i in range(40):
        picture(tmp_path / "data" / "asl" / "A" / f"A{i}.png", 40 + i)
    folder = tmp_path / "cache"
    cache = folder / "hands-with-top.npz"
    pictures = find_hand_pictures(tmp_path / "data")
    made, _ = load_hands(pictures, fake(), cache=folder)
    whole = cache.read_bytes()
    if damage == "other-arrays":
        np.savez(cache, points=np.zeros(3))
    else:
        middle = len(whole) // 2
        cache.write_bytes(
            {
                "half": whole[:middle],
                "empty": b"",
                "text": b"not a cache",
                "flipped": whole[:middle] + bytes(b ^ 255 for b in whole[middle : middle + 40]) + whole[middle + 40 :],
            }[damage]
        )
    detector = fake()
    again, _ = load_hands(pictures, detector, cache=folder)
    assert calls(detector) == 40
    assert again.fingerprint() == made.fingerprint()
    assert "damaged" in caplog.text
    third = fake()
    load_hands(pictures, third, cache=folder)
    assert calls(third) == 0


@pytest.mark.data
def test_the_folders_of_the_project(data_root: Path) -> None:
    if not (data_root / "gestures").is_dir():
        pytest.skip(f"no gestures in {data_root}")
    pictures = find_hand_pictures(data_root / "gestures", limit=50)
    assert {p.gesture for p in pictures} == set(GESTURES_5.labels)
    signers = {p.group for p in pictures if p.collection == "massey"}
    assert signers == {f"massey/hand{i}" for i in range(1, 6)}


def test_classes_are_read_in_any_case_and_a_misspelt_one_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, "own/Victory/x.jpg", "own/NONE/y.jpg", "own/victroy/z.jpg", "own/__MACOSX/._x.jpg")
    assert sorted(gesture for _, gesture, *_ in found(tmp_path)) == ["none", "victory"]
    assert "victroy is not a class of hand pictures and is left out. Did you mean 'victory'?" in caplog.text
    assert "__MACOSX" not in caplog.text


def test_words_that_begin_with_the_letter_of_a_fist_stay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "own/other/thumb_1.jpg", "own/other/stop1.jpg", "own/other/T1.jpg", "own/other/x.heic")
    assert sorted(name for name, *_ in found(tmp_path)) == ["stop1.jpg", "thumb_1.jpg"]
    assert "T1.jpg" in caplog.text
    assert "x.heic" in caplog.text


def test_one_data_set_given_in_place_of_the_folder_it_lies_in(tmp_path: Path) -> None:
    touch(tmp_path, "victory/1.jpg", "none/1.jpg")
    with pytest.raises(DataError, match=r"is a data set itself: give the folder that it lies in"):
        find_hand_pictures(tmp_path)


CROWD = Naming(label_set=GESTURES_5, classes={"fist": "punch", "palm": "none", "Ok": "super"})


def test_a_crowd_is_taken_whole_with_its_own_names_of_classes(tmp_path: Path) -> None:
    touch(tmp_path, *(f"many/{name}/{i}.jpg" for name in ("fist", "palm", "ok", "none") for i in range(20)))
    touch(tmp_path, *(f"asl/A/{i}.jpg" for i in range(20)))
    pictures = find_hand_pictures(tmp_path, limit=3, crowds=["many", "not_there"], naming=CROWD)
    assert Counter((p.collection, p.gesture) for p in pictures) == {
        ("many", "punch"): 20,
        ("many", "none"): 40,
        ("many", "super"): 20,
        ("asl", "punch"): 3,
    }


def test_a_fifth_of_a_crowd_is_held_back_by_name_alone(tmp_path: Path) -> None:
    names = [f"{i:x}-hand" for i in range(2000)]
    touch(tmp_path, *(f"many/palm/{name}.jpg" for name in names), *(f"many/fist/{name}.jpeg" for name in names[:500]))
    touch(tmp_path, *(f"other/V/{name}.jpg" for name in names[:50]))
    pictures = find_hand_pictures(tmp_path, crowds=["many"], naming=CROWD)
    away = [p for p in pictures if p.group == f"many/{HELD_BACK}"]
    held = {gesture: {p.path.stem for p in away if p.gesture == gesture} for gesture in ("none", "punch")}
    assert 0.18 < len(held["none"]) / 2000 < 0.22
    assert held["punch"] == held["none"] & set(names[:500]), "one photo of two hands is on one side"
    assert {p.group for p in pictures if p.collection == "other"} == {"other"}
    assert {p.group for p in pictures if p.collection == "many"} == {
        *(f"many/part{number}" for number in range(4)),
        f"many/{HELD_BACK}",
    }
    assert [crowd_part(f"{name}.png") for name in ("a", "b", "c", "d", "e")] == [
        *("part2", "part1", "part0", "part1"),
        HELD_BACK,
    ]


def test_pictures_that_end_where_the_hand_does_get_a_border(tmp_path: Path) -> None:
    shapes: list[tuple[int, ...]] = []

    class Watching(FakeHands):
        def landmarks_of_crop(self, crop_rgb: NDArray[np.uint8]) -> Hand | None:
            shapes.append(crop_rgb.shape)
            assert (crop_rgb == 90).all(), "the border has the colours of the edge"
            return super().landmarks_of_crop(crop_rgb)

    path = tmp_path / "data/many/V/1.png"
    path.parent.mkdir(parents=True)
    write_image(path, np.full((40, 20, 3), 90, np.uint8))
    pictures, detector = find_hand_pictures(tmp_path / "data"), cast(HandDetector, Watching())
    load_hands(pictures, detector, tight=["many"], cache=tmp_path / "cache")
    load_hands(pictures, detector, cache=tmp_path / "cache")
    assert shapes == [(60, 40, 3), (40, 20, 3)], "and the cache tells one from the other"
