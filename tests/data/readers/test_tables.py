from __future__ import annotations

import lzma
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from mien.data.readers.tables import find_table, load_table
from mien.errors import DataError, MienError, UnreadableMedia
from mien.labels import EMOTIONS_6, GESTURES_4
from mien.pixels.images import write_image


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def found(path: Path, problems: list[MienError] | None = None) -> list[tuple[str, str, str, str]]:
    listing = find_table(path, on_problem=[].append if problems is None else problems.append)
    return [(p.name, listing.label_set.labels[p.label], p.split, p.group) for p in listing.pictures]


def test_columns_in_any_order_and_case(tmp_path: Path) -> None:
    path = table(
        tmp_path / "t.csv",
        "Subject,extra,Emotion,FILE,Split",
        "anna,x,Happiness,a/1.jpg,Train",
        'ben,"x, y",sad,b/2.jpg,PrivateTest',
    )
    assert found(path) == [("a/1.jpg", "happy", "train", "anna"), ("b/2.jpg", "sad", "test", "ben")]
    assert find_table(path).label_set is EMOTIONS_6
    assert find_table(path).pictures[0].path == tmp_path / "a/1.jpg"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_are_parted_by_commas_semicolons_or_tabs(tmp_path: Path, separator: str) -> None:
    path = table(tmp_path / "t.csv", separator.join(("path", "gesture")), separator.join(('"a b.jpg"', "V")))
    assert found(path) == [("a b.jpg", "victory", "train", "")]
    assert find_table(path).label_set is GESTURES_4


def test_a_packed_table_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.xz"
    path.write_bytes(lzma.compress("\ufeffimage,class\r\n1.jpg,happy\r\n".encode()))
    assert found(path) == [("1.jpg", "happy", "train", "")]


def test_an_absolute_path_is_read_but_names_no_root(tmp_path: Path) -> None:
    write_image(tmp_path / "x.png", np.full((9, 9, 3), 50, np.uint8))
    (tmp_path / "deep").mkdir()
    path = table(tmp_path / "deep/t.csv", "path,label", f"{tmp_path / 'x.png'},happy")
    dataset = load_table(path, size_hw=(4, 4))
    assert dataset.samples.tolist() == [[[50] * 4] * 4]
    assert not dataset.name(0).startswith("/")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",happy,train", "there is no path"),
        ("2.jpg,,train", "there is no label"),
        ("2.jpg", "there is no label"),
        ("2.jpg,happy,maybe", "the split is 'maybe', not one of train, validation, test"),
        ("2.jpg,ha/ppy,train", "the label 'ha/ppy' cannot name a folder"),
        ("1.jpg,happy,test", "1.jpg is already in line 2"),
    ],
)
def test_a_bad_row_is_named_and_left_out(tmp_path: Path, row: str, reason: str) -> None:
    path = table(tmp_path / "t.csv", "path,label,split", "1.jpg,happy,train", row, "", "3.jpg,sad,test")
    problems: list[MienError] = []
    assert [name for name, *_ in found(path, problems)] == ["1.jpg", "3.jpg"]
    (problem,) = problems
    assert f"t.csv, line 3: {reason}; the row is left out" in str(problem)
    with pytest.raises(DataError, match="line 3"):
        find_table(path)


def test_a_row_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"path,label\n1.jpg,happy\n\xff.jpg,happy\n")
    problems: list[MienError] = []
    assert len(found(path, problems)) == 1
    assert "line 3: it is not valid UTF-8" in str(problems[0])


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("name,label", "1.jpg,happy"), "no column path or file or image"),
        (("path,mood", "1.jpg,happy"), "no column label or emotion"),
        (("path,label",), "no usable rows"),
        (("",), "no column path"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, lines: tuple[str, ...], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        find_table(table(tmp_path / "t.csv", *lines))


def test_a_missing_table(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia, match="is not a file"):
        find_table(tmp_path / "t.csv")


def test_missing_pictures_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    write_image(tmp_path / "1.png", np.full((9, 9, 3), 50, np.uint8))
    path = table(tmp_path / "t.csv", "path,label,person", "1.png,happy,anna", "2.png,sad,ben")
    problems: list[MienError] = []
    dataset = load_table(path, size_hw=(4, 4), colour="rgb", on_problem=problems.append)
    assert dataset.samples.shape == (1, 4, 4, 3)
    assert dataset.groups.tolist() == ["anna"]
    assert dataset.source == "t.csv"
    assert "2.png" in str(problems[0])


def test_names_with_accents_are_found_however_they_are_stored(tmp_path: Path) -> None:
    apart, composed = (unicodedata.normalize(form, "müde") for form in ("NFD", "NFC"))
    write_image(tmp_path / f"{apart}.png", np.full((9, 9, 3), 50, np.uint8))
    path = table(tmp_path / "t.csv", " Path , Label ", f"{composed}.png, {apart}", f"./{apart}.png,wach")
    problems: list[MienError] = []
    listing = find_table(path, on_problem=problems.append)
    assert [picture.name for picture in listing.pictures] == [f"{composed}.png"]
    assert listing.label_set.labels == (composed,)
    assert all(picture.path.is_file() for picture in listing.pictures)
    assert "is already in line 2" in str(problems[0])
