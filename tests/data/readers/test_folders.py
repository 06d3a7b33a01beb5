from __future__ import annotations

import json
import time
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.data.readers.folders import find_folders, load_folders, read_facts
from mien.errors import DataError, MienError, UnreadableMedia
from mien.labels import EMOTIONS, EMOTIONS_6, GESTURES_4, GESTURES_5, LabelSet
from mien.pixels.images import write_image


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def picture(path: Path, value: int = 100) -> None:
    write_image(path, np.full((10, 12, 3), value, np.uint8))


def facts(root: Path, **values: Any) -> None:
    root.mkdir(exist_ok=True)
    (root / "dataset.json").write_text(json.dumps(values), "utf-8")


def found(root: Path) -> list[tuple[str, str, str, str]]:
    listing = find_folders(root)
    return [(p.name, listing.label_set.labels[p.label], p.split, p.group) for p in listing.pictures]


def test_a_folder_for_each_class_is_all_train(tmp_path: Path) -> None:
    touch(tmp_path, "Happiness/b10.jpg", "Happiness/b2.JPG", "sad/x.webp")
    assert found(tmp_path) == [
        ("Happiness/b2.JPG", "happy", "train", ""),
        ("Happiness/b10.jpg", "happy", "train", ""),
        ("sad/x.webp", "sad", "train", ""),
    ]
    assert find_folders(tmp_path).label_set is EMOTIONS_6
    assert find_folders(tmp_path).source == tmp_path.name


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("training", "valid", "testing"),
        ("train1", "validation1", "Test"),
        ("Train", "dev", "test"),
    ],
)
def test_a_folder_for_each_split(tmp_path: Path, train: str, validation: str, test: str) -> None:
    touch(tmp_path, f"{train}/happy/1.jpg", f"{validation}/happy/1.jpg", f"{test}/Happy/1.jpg", f"{train}/sad/1.jpg")
    assert sorted((label, split) for _, label, split, _ in found(tmp_path)) == [
        ("happy", "test"),
        ("happy", "train"),
        ("happy", "validation"),
        ("sad", "train"),
    ]


def test_a_class_may_be_called_like_a_split(tmp_path: Path) -> None:
    touch(tmp_path, "test/1.jpg", "rest/1.jpg")
    assert find_folders(tmp_path).label_set == LabelSet("custom", ("rest", "test"))


def test_two_folders_for_one_split_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "train/happy/1.jpg", "train1/L/1.jpg")
    with pytest.raises(DataError, match="two folders for the split train, train and train1"):
        find_folders(tmp_path)


def test_a_folder_beside_the_splits_is_told_and_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "train/happy/1.jpg", "spare/happy/2.jpg")
    problems: list[MienError] = []
    assert len(find_folders(tmp_path, on_problem=problems.append).pictures) == 1
    assert str(tmp_path / "spare") in str(problems[0])


@pytest.mark.parametrize(("one", "other"), [("Happy", "happy"), ("happiness", "happy"), ("L", "loser"), ("Cat", "cat")])
def test_two_folders_for_one_class_are_refused(tmp_path: Path, one: str, other: str) -> None:
    touch(tmp_path, f"{one}/1.jpg", f"{other}/2.jpg")
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system does not tell cases apart")
    with pytest.raises(DataError, match=f"two folders for the class '.*', .*{one}.*{other}|{other}.*{one}"):
        find_folders(tmp_path)


def test_other_and_nothing_are_both_none_and_fists_stay_out(tmp_path: Path) -> None:
    touch(
        tmp_path, "A/A1.jpg", "nothing/M1.jpg", *(f"other/{name}" for name in ("B1.jpg", "E1.jpg", "F3.jpg", "me.jpg"))
    )
    assert [(name, label) for name, label, *_ in found(tmp_path)] == [
        ("A/A1.jpg", "punch"),
        ("nothing/M1.jpg", "none"),
        ("other/B1.jpg", "none"),
        ("other/me.jpg", "none"),
    ]


def test_without_letters_nothing_of_other_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "victory/1.jpg", "other/E1.jpg")
    assert [label for _, label, *_ in found(tmp_path)] == ["none", "victory"]


def test_massey_names_tell_the_signer(tmp_path: Path) -> None:
    touch(tmp_path, "A/hand1_a_bot_seg_1_cropped.jpeg", "A/hand5_a_top.jpeg", "other/hand2_m_bot.jpeg")
    assert [(label, group) for _, label, _, group in found(tmp_path)] == [("punch", "hand1"), ("punch", "hand5")]


def test_hidden_files_texts_and_thumbnails_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "happy/1.jpg", "happy/Thumbs.db", "happy/.2.jpg", "happy/notes.txt", ".cache/3.jpg", "README.md")
    assert [name for name, *_ in found(tmp_path)] == ["happy/1.jpg"]


def test_a_class_without_pictures_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "happy/1.jpg", "sad/notes.txt")
    problems: list[MienError] = []
    assert find_folders(tmp_path, on_problem=problems.append).label_set is EMOTIONS_6
    assert str(tmp_path / "sad") in str(problems[0])


def test_a_folder_inside_a_class_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "happy/1.jpg", "happy/anna.jpg/2.jpg")
    problems: list[MienError] = []
    assert len(find_folders(tmp_path, on_problem=problems.append).pictures) == 1
    assert "anna.jpg is a folder inside a class" in str(problems[0])


def test_links_that_loop_are_told_and_end(tmp_path: Path) -> None:
    picture(tmp_path / "happy/1.png")
    (tmp_path / "happy/again").symlink_to(tmp_path)
    (tmp_path / "happy/self.png").symlink_to(tmp_path / "happy/self.png")
    (tmp_path / "sad").symlink_to(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    problems: list[MienError] = []
    dataset = load_folders(tmp_path, size_hw=(8, 8), on_problem=problems.append)
    assert dataset.names is not None
    assert dataset.names.tolist() == ["happy/1.png"]
    assert any("self.png" in str(problem) for problem in problems)


@pytest.mark.parametrize("names", [(), ("1.jpg",), ("happy/notes.txt",)])
def test_a_root_without_classes_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path, *names)
    with pytest.raises(DataError, match="no pictures"):
        find_folders(tmp_path, on_problem=[].append)


def test_a_root_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia, match="is not a folder"):
        find_folders(tmp_path / "none")


def test_unreadable_pictures_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    picture(tmp_path / "happy/1.png", 90)
    touch(tmp_path, "happy/2.png", "sad/1.jpg")
    (tmp_path / "happy/3.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    problems: list[MienError] = []
    dataset = load_folders(tmp_path, size_hw=(8, 8), on_problem=problems.append)
    assert len(dataset) == 1
    told = "\n".join(map(str, problems))
    for name in ("2.png", "3.heic", "1.jpg", "no usable picture of the class 'sad'"):
        assert name in told


def test_groups_label_set_and_caveats_of_the_facts(tmp_path: Path) -> None:
    picture(tmp_path / "train/happy/1.png")
    picture(tmp_path / "train/happy/2.png")
    facts(
        tmp_path,
        version=1,
        source="my photos",
        label_set="emotions",
        labels=EMOTIONS.labels,
        caveats=["taken indoors"],
        groups={"train/happy/1.png": "anna"},
        other="ignored",
    )
    dataset = load_folders(tmp_path, size_hw=(8, 8), colour="rgb")
    assert dataset.label_set is EMOTIONS
    assert dataset.groups.tolist() == ["anna", ""]
    assert dataset.source == "my photos"
    assert dataset.caveats[0] == "taken indoors"
    assert dataset.samples.shape == (2, 8, 8, 3)


def test_the_facts_name_the_splits(tmp_path: Path) -> None:
    touch(tmp_path, "first/happy/1.jpg", "second/happy/1.jpg")
    facts(tmp_path, splits={"first": "train", "second": "test"})
    assert [split for *_, split, _ in found(tmp_path)] == ["train", "test"]


def test_a_set_of_ones_own_keeps_its_order(tmp_path: Path) -> None:
    touch(tmp_path, "b/1.jpg", "a/1.jpg")
    facts(tmp_path, label_set="custom", labels=["b", "c", "a"])
    assert find_folders(tmp_path).label_set == LabelSet("custom", ("b", "c", "a"))
    touch(tmp_path, "d/1.jpg")
    with pytest.raises(DataError, match="the class 'd'"):
        find_folders(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"groups": {"a": 3}}',
        '{"groups": 3}',
        '{"labels": "happy", "labels": [1]}',
        '{"splits": {"a": "b"}}',
    ],
)
def test_damaged_facts_are_refused(tmp_path: Path, text: str) -> None:
    touch(tmp_path, "happy/1.jpg")
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=r"dataset\.json is damaged"):
        find_folders(tmp_path)


def test_facts_may_be_missing(tmp_path: Path) -> None:
    assert read_facts(tmp_path).groups == {}


@pytest.mark.data
def test_the_sets_of_the_project(data_root: Path) -> None:
    gestures = data_root / "gestures"
    if not gestures.is_dir():
        pytest.skip(f"no gestures in {data_root}")
    started = time.monotonic()
    dataset = load_folders(gestures / "signer_c", size_hw=(100, 100), colour="rgb")
    assert time.monotonic() - started < 20, "1,097 pictures take half a second on an idle machine"
    assert dataset.label_set is GESTURES_4
    assert dataset.counts() == {"train": {"loser": 300, "punch": 247, "super": 250, "victory": 300}}
    massey = find_folders(gestures / "massey")
    assert massey.label_set is GESTURES_5
    assert len(massey.pictures) == 756
    assert {p.group for p in massey.pictures} == {f"hand{i}" for i in range(1, 6)}


SEVEN = tuple(f"{label}/1.jpg" for label in EMOTIONS.labels)


@pytest.mark.parametrize("name", ["lost+found", "__MACOSX", "@eaDir", "System Volume Information", "$RECYCLE.BIN"])
def test_a_folder_of_the_systems_is_named_and_is_no_class(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    touch(tmp_path, *SEVEN, f"{name}/happy/._1.jpg", f"{name}/2.jpg", ".DS_Store", "happy/Thumbs.db", "sad/desktop.ini")
    assert find_folders(tmp_path).label_set is EMOTIONS
    assert len(found(tmp_path)) == 7
    assert f"{name} is a system folder" in caplog.text
    assert "Thumbs" not in caplog.text


def test_a_folder_that_may_not_be_entered_costs_nothing(tmp_path: Path) -> None:
    touch(tmp_path, *SEVEN)
    (tmp_path / "lost+found").mkdir(mode=0)
    assert len(found(tmp_path)) == 7


def test_an_empty_folder_that_is_no_class_is_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, *SEVEN)
    (tmp_path / "New folder").mkdir()
    assert find_folders(tmp_path).label_set is EMOTIONS
    assert "New folder has no pictures and is not a class of emotions" in caplog.text


def test_folders_of_the_systems_beside_splits(tmp_path: Path) -> None:
    touch(tmp_path, *(f"train/{name}" for name in SEVEN), "train/__MACOSX/1.jpg", "__MACOSX/train/happy/._1.jpg")
    assert [split for *_, split, _ in found(tmp_path)] == ["train"] * 7


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("suprise", "surprise"),
        ("Anrgy", "angry"),
        ("neutrall", "neutral"),
        ("sadnes", "sad"),
        ("dissgust", "disgust"),
        ("Hapy", "happy"),
    ],
)
def test_one_misspelt_class_is_named_with_the_nearest_label(tmp_path: Path, wrong: str, right: str) -> None:
    touch(tmp_path, *(name for name in SEVEN if not name.startswith(right)), f"{wrong}/1.jpg")
    with pytest.raises(DataError, match=rf"has the class '{wrong}', .*Did you mean '{right}'\?") as refused:
        find_folders(tmp_path)
    others = set(EMOTIONS.labels) - {right}
    assert not any(f"'{label}'" in str(refused.value) for label in others), "right names are not blamed"


def test_a_class_of_ones_own_beside_known_ones_is_said_and_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, *SEVEN, "bored/1.jpg")
    assert find_folders(tmp_path).label_set.labels == (
        "angry", "bored", "disgust", "fear", "happy", "neutral", "sad", "surprise"
    )  # fmt: skip
    assert "has the class 'bored', which is none of emotions" in caplog.text


def test_classes_of_another_language_are_no_misspellings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, *(f"{name}/1.jpg" for name in ("Wut", "Ekel", "Angst", "Freude", "neutral", "Überraschung", "喜")))
    assert set(find_folders(tmp_path).label_set.labels) == {
        "Wut", "Ekel", "Angst", "Freude", "neutral", "Überraschung", "喜"
    }  # fmt: skip
    assert not caplog.text


def test_accents_stored_in_either_way_are_the_same_class_and_the_same_name(tmp_path: Path) -> None:
    apart, composed = (unicodedata.normalize(form, "Müde") for form in ("NFD", "NFC"))
    touch(tmp_path, f"train/{apart}/ä.jpg", f"val/{composed}/1.jpg", "train/wach/1.jpg", "val/wach/1.jpg")
    facts(tmp_path, groups={unicodedata.normalize("NFD", f"train/{apart}/ä.jpg"): "anna"})
    listing = find_folders(tmp_path)
    assert listing.label_set.labels == (composed, "wach")
    assert listing.pictures[0].name == unicodedata.normalize("NFC", f"train/{composed}/ä.jpg")
    assert listing.pictures[0].group == "anna"
    assert all(picture.path.is_file() for picture in listing.pictures)


def test_nothing_is_left_out_without_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "L/1.jpg", "A/1.jpg", "A/clip.mp4", "A/notes.txt", "loose.jpg")
    touch(tmp_path, *(f"other/{name}_001.jpg" for name in ("thumb", "stop", "mirror", "n")), "other/n001.jpg")
    assert sorted(name for name, label, *_ in found(tmp_path) if label == "none") == [
        f"other/{name}_001.jpg" for name in ("mirror", "n", "stop", "thumb")
    ]
    assert "A: 2 files whose suffix is not that of a picture, left out: clip.mp4, notes.txt" in caplog.text
    assert "1 pictures outside the class folders, left out: loose.jpg" in caplog.text
    assert "1 of 5 pictures is left out of 'none'" in caplog.text
    assert "n001.jpg" in caplog.text
