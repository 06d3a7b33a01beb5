from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.data.readers.asl import (
    letter_labels,
    list_letters,
    read_groups,
    split_by_number,
    unread,
    whole_file,
    with_groups,
    with_splits,
)
from mien.data.readers.pictures import Listing
from mien.data.split import split_by_group
from mien.errors import DataError, MienError, UnreadableMedia
from mien.labels import GESTURES_4, GESTURES_5, LETTERS
from mien.pixels.images import write_image
from mien.words import kept

NEAR_COPIES = kept("kept.near_copies")


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


@pytest.fixture
def alphabet(tmp_path: Path) -> Path:
    """Ten pictures of each letter."""
    return touch(tmp_path / "asl", *(f"{letter}/{letter}{i}.jpg" for letter in "LAFVB" for i in range(1, 11)))


def names(listing: Listing, split: str = "train") -> list[str]:
    return [picture.name for picture in listing.pictures if picture.split == split]


def test_letters_become_gestures_in_natural_order(alphabet: Path) -> None:
    listing = list_letters(alphabet)
    assert listing.label_set is GESTURES_4
    assert listing.source == "asl"
    counts = Counter((picture.name[0], GESTURES_4.labels[picture.label]) for picture in listing.pictures)
    assert counts == dict.fromkeys(LETTERS.items(), 10)
    assert names(listing)[:10] == [f"L/L{i}.jpg" for i in range(1, 11)]
    assert {picture.group for picture in listing.pictures} == {"asl"}


def test_other_folders_may_be_mapped(alphabet: Path) -> None:
    touch(alphabet, "other/E1.jpg", "other/C1.jpg", "other/L1.jpg", "other/hand1_s_bot_seg_1.jpeg", "nothing/x.png")
    letters = {"A": "punch", "B": "stop", "other": "none", "nothing": "none"}
    listing = list_letters(alphabet, letters=letters)
    assert listing.label_set.labels == ("punch", "none", "stop")
    assert Counter(listing.label_set.labels[p.label] for p in listing.pictures) == {"punch": 10, "stop": 10, "none": 2}
    assert {"other/C1.jpg", "nothing/x.png"} < set(names(listing)), "fists and gestures are no `none`"


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        (LETTERS, GESTURES_4.labels),
        ({"V": "victory", "A": "punch"}, ("punch", "victory")),
        ({**LETTERS, "other": "none"}, GESTURES_5.labels),
        ({"Y": "call", "A": "punch", "S": "punch"}, ("punch", "call")),
    ],
)
def test_label_sets(letters: dict[str, str], expected: tuple[str, ...]) -> None:
    assert letter_labels(letters).labels == expected


def test_known_label_sets_are_known() -> None:
    assert letter_labels(LETTERS) is GESTURES_4
    assert letter_labels({**LETTERS, "x": "none"}) is GESTURES_5


def test_the_signer_is_in_the_names_of_massey(tmp_path: Path) -> None:
    touch(tmp_path, "A/hand1_a_bot_seg_1_cropped.jpeg", "A/Hand5_a_top_seg_2_cropped.jpeg", "A/plain.jpg")
    listing = list_letters(tmp_path, letters={"A": "punch"})
    assert [picture.group for picture in listing.pictures] == ["hand1", "hand5", tmp_path.name]


def test_folders_that_differ_in_case_are_left_out_and_named(alphabet: Path) -> None:
    touch(alphabet, "a/a1.jpg")
    if len({path.name for path in alphabet.iterdir()} & {"a", "A"}) < 2:
        pytest.skip("this file system does not tell a from A")
    problems: list[str] = []
    listing = list_letters(alphabet, on_problem=lambda problem: problems.append(str(problem)))
    (problem,) = problems
    assert f"{alphabet / 'A'} and {alphabet / 'a'} differ only in case" in problem
    assert {name[0] for name in names(listing)} == {"L", "F", "V"}
    with pytest.raises(DataError, match="differ only in case"):
        list_letters(alphabet)


def test_a_folder_in_lower_case_is_a_letter_too(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg")
    assert names(list_letters(tmp_path, letters={"A": "punch"})) == ["a/1.jpg"]


def test_letters_without_pictures_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "A/A1.jpg", "F/notes.txt", "V/V1.jpg")
    problems: list[str] = []
    listing = list_letters(tmp_path, on_problem=lambda problem: problems.append(str(problem)))
    assert len(listing.pictures) == 2
    missing, empty = problems
    assert f"{tmp_path} has no folder L, so it gives no pictures of 'loser'" in missing
    assert f"{tmp_path / 'F'} has no pictures" in empty


def test_no_letters_at_all(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia, match="is not a folder"):
        list_letters(tmp_path / "none")
    touch(tmp_path, "B/B1.jpg")
    with pytest.raises(DataError, match="no pictures in folders called L, A, F, V"):
        list_letters(tmp_path, on_problem=lambda _: None)


def test_the_first_by_number_train(alphabet: Path) -> None:
    split = split_by_number(list_letters(alphabet), first=8)
    assert names(split, "validation") == [f"{letter}/{letter}{i}.jpg" for letter in LETTERS for i in (9, 10)]
    assert len(names(split)) == 32
    assert split.caveats == (NEAR_COPIES,), "one signer lies in both"


def test_signers_that_lie_apart_need_no_caveat(tmp_path: Path) -> None:
    touch(tmp_path, "A/hand1_a_1.jpg", "A/hand1_a_2.jpg", "A/hand2_a_1.jpg")
    listing = list_letters(tmp_path, letters={"A": "punch"})
    assert split_by_number(listing, first=2).caveats == ()
    assert split_by_number(listing, first=1).caveats == (NEAR_COPIES,)


@pytest.mark.parametrize("first", [10, 11])
def test_too_few_pictures_for_the_split(alphabet: Path, first: int) -> None:
    with pytest.raises(DataError, match=f"asl/L has 10 pictures, so the first {first} leave none .* --first"):
        split_by_number(list_letters(alphabet), first=first)


@pytest.fixture
def table(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "groups.csv"
        path.write_text(text, "utf-8")
        return path

    return write


def test_groups_and_splits_come_from_a_table(tmp_path: Path, table: Callable[[str], Path]) -> None:
    root = touch(tmp_path / "own", "A/1.jpg", "A/2.jpg", "A/3.jpg", "A/4.jpg")
    rows = "group,file,split\nann,A/1.jpg,Training\nbo,A/2.jpg,val\ncy,A/3.jpg,\n,\n"
    with pytest.raises(DataError, match="line 5"):
        read_groups(table(rows))
    groups = read_groups(table(rows.removesuffix(",\n") + "dee,B/9.jpg,test\n"))
    problems: list[str] = []
    listing = with_groups(
        list_letters(root, letters={"A": "punch"}), groups, on_problem=lambda problem: problems.append(str(problem))
    )
    assert [(p.name, p.group, p.split) for p in listing.pictures] == [
        ("A/1.jpg", "ann", "train"),
        ("A/2.jpg", "bo", "validation"),
        ("A/3.jpg", "cy", "train"),
    ]
    (problem,) = problems
    assert str(root / "A" / "4.jpg") in problem


def test_a_table_for_other_pictures(alphabet: Path, table: Callable[[str], Path]) -> None:
    problems: list[MienError] = []
    with pytest.raises(DataError, match="names no picture of asl"):
        with_groups(list_letters(alphabet), read_groups(table("file,group\nx.jpg,ann\n")), on_problem=problems.append)
    assert len(problems) == 40


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no column file, group"),
        ("file,signer\na,b\n", "no column group; a groups file has"),
        ("file,group,split\na,ann,train\nb,ann,test\n", "line 3: 'ann' is in two splits"),
        ("file,group,split\na,ann,sometimes\n", "line 2"),
        ("file,group\na\n", "line 2"),
    ],
)
def test_wrong_tables(table: Callable[[str], Path], text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_groups(table(text))


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia, match="is not a file"):
        read_groups(tmp_path / "none.csv")
    (tmp_path / "groups.csv").write_bytes(b"file,group\n\xff\xfe,1\n")
    with pytest.raises(DataError, match="cannot be read as a CSV"):
        read_groups(tmp_path / "groups.csv")


def test_a_listing_is_split_as_a_data_set(tmp_path: Path) -> None:
    touch(tmp_path, *(f"A/hand{i}_a_{k}.jpg" for i in (1, 2, 3) for k in (1, 2)))
    listing = list_letters(tmp_path, letters={"A": "punch"})
    dataset = unread(listing)
    assert (len(dataset), dataset.samples.size) == (6, 0)
    split = with_splits(listing, split_by_group(dataset, validation=["hand2"], test=["hand3"]))
    assert {(p.group, p.split) for p in split.pictures} == {
        ("hand1", "train"),
        ("hand2", "validation"),
        ("hand3", "test"),
    }


def test_files_are_taken_as_they_are_once_they_can_be_read(tmp_path: Path) -> None:
    write_image(tmp_path / "good.jpg", np.zeros((8, 8, 3), np.uint8))
    assert whole_file(tmp_path / "good.jpg") == (tmp_path / "good.jpg").read_bytes()
    (tmp_path / "bad.jpg").write_bytes((tmp_path / "good.jpg").read_bytes()[:100])
    with pytest.raises(UnreadableMedia, match=r"bad\.jpg"):
        whole_file(tmp_path / "bad.jpg")


@pytest.mark.data
def test_the_published_split_of_the_asl_alphabet(data_root: Path) -> None:
    folder = data_root / "gestures" / "asl_alphabet"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    listing = split_by_number(list_letters(folder))
    counts = unread(listing).counts()
    assert counts == {
        "train": dict.fromkeys(GESTURES_4.labels, 2_400),
        "validation": dict.fromkeys(GESTURES_4.labels, 600),
    }
    assert {int(name[3:-4]) for name in names(listing, "validation")} == set(range(2_401, 3_001))


def test_only_names_of_letters_are_left_out_of_other_and_a_line_says_so(
    alphabet: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = ("thumb", "stop", "three", "five", "one", "back", "mirror", "palm", "rock")
    touch(alphabet, *(f"other/{word}_001.jpg" for word in words), "other/n001.jpg", "other/._x.jpg", "L/clip.mp4")
    listing = list_letters(alphabet, letters={**LETTERS, "other": "none"})
    none = [picture.name for picture in listing.pictures if listing.label_set.labels[picture.label] == "none"]
    assert none == sorted(f"other/{word}_001.jpg" for word in words)
    assert "1 of 10 pictures is left out of 'none'" in caplog.text
    assert "n001.jpg" in caplog.text
    assert "clip.mp4" in caplog.text
    assert listing.folders_left_out == ("B",)
