from __future__ import annotations

import csv
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.data.clean import apply_clean_list, write_clean_list
from mien.data.dataset import Dataset
from mien.data.duplicates import training_faults
from mien.errors import DataError, OutputError, UnreadableMedia
from mien.labels import EMOTIONS


def dataset(**changes: Any) -> Dataset:
    values: dict[str, Any] = {
        "samples": np.array([1, 1, 2, 3, 2], np.uint8)[:, None, None].repeat(4, axis=1).repeat(4, axis=2),
        "labels": np.array([0, 0, 1, 2, 1]),
        "split": np.array(["train", "train", "train", "train", "test"]),
        "groups": np.full(5, ""),
        "label_set": EMOTIONS,
        "names": np.array(["a/1.png", "a/2.png", 'b/"x", y.png', "c/ü.png", "b/t.png"]),
        "source": "made up",
    }
    return Dataset(**(values | changes))


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "clean.csv"
    write_clean_list(path, dataset(), training_faults(dataset()))
    return path


def test_the_list_says_what_is_used_and_why_not(listed: Path) -> None:
    with listed.open(newline="", encoding="utf-8") as file:
        rows = [tuple(row.values())[:4] for row in csv.DictReader(file)]
    assert rows == [
        ("a/1.png", "train", "yes", ""),
        ("a/2.png", "train", "no", "repeated"),
        ('b/"x", y.png', "train", "no", "equals a held-out image"),
        ("c/ü.png", "train", "yes", ""),
        ("b/t.png", "test", "yes", ""),
    ]


def test_what_is_written_is_read(listed: Path) -> None:
    cleaned = apply_clean_list(dataset(), listed)
    assert [cleaned.name(i) for i in range(len(cleaned))] == ["a/1.png", "c/ü.png", "b/t.png"]
    assert cleaned.source == "made up (cleaned)"


def test_samples_without_names_are_numbered(tmp_path: Path) -> None:
    nameless = dataset(names=None)
    write_clean_list(tmp_path / "clean.csv", nameless, training_faults(nameless))
    assert len(apply_clean_list(nameless, tmp_path / "clean.csv")) == 3


def test_the_list_may_be_edited_reordered_and_saved_by_a_spreadsheet(listed: Path) -> None:
    head, *lines = listed.read_text("utf-8").replace(",no,repeated,", ",yes,,").splitlines()
    listed.write_text("\r\n".join([head, *lines[::-1]]), "utf-8-sig")
    cleaned = apply_clean_list(dataset(), listed)
    assert [cleaned.name(i) for i in range(len(cleaned))] == ["a/1.png", "a/2.png", "c/ü.png", "b/t.png"]


def test_pictures_may_be_read_in_another_size(listed: Path) -> None:
    assert len(apply_clean_list(dataset(samples=np.zeros((5, 8, 8, 3), np.uint8)), listed)) == 3


@pytest.mark.parametrize(
    "other",
    [
        dataset(labels=np.array([0, 0, 1, 2, 2])),
        dataset(split=np.array(["train", "train", "train", "validation", "test"])),
        dataset(names=np.array(["1", "2", "3", "4", "5"])),
        dataset().where(np.array([True, True, True, True, False])),
    ],
    ids=["labels", "splits", "names", "fewer"],
)
def test_a_list_for_another_data_set_is_refused(listed: Path, other: Dataset) -> None:
    with pytest.raises(DataError, match=r"clean\.csv was made for another data set \(line 2 says [0-9a-f]{16}"):
        apply_clean_list(other, listed)


@pytest.mark.parametrize("column", ["name", "use", "data_set"])
def test_a_missing_column_is_named(listed: Path, column: str) -> None:
    head, *lines = listed.read_text("utf-8").splitlines()
    listed.write_text("\n".join([head.replace(column, "other"), *lines]), "utf-8")
    with pytest.raises(DataError, match=f"has no column {column}; a clean list has name, split, use, reason, data_set"):
        apply_clean_list(dataset(), listed)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("a/1.png,train,yes", "a/9.png,train,yes", "lists 'a/9.png', which is not a sample of made up"),
        ("a/1.png,train,yes", "a/1.png,train,maybe", "line 2: use must be yes or no, not 'maybe'"),
        ("a/2.png,train", "a/1.png,train", "line 3: 'a/1.png' is listed twice"),
        ("b/t.png,test,yes", "b/t.png,test,no", "leaves out 'b/t.png' of test; only training samples"),
    ],
)
def test_a_bad_line_is_named(listed: Path, old: str, new: str, says: str) -> None:
    text = listed.read_text("utf-8")
    assert old in text
    listed.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(DataError, match=says):
        apply_clean_list(dataset(), listed)


def test_a_line_that_is_gone_is_named(listed: Path) -> None:
    lines = listed.read_text("utf-8").splitlines()
    listed.write_text("\n".join(lines[:1] + lines[2:]), "utf-8")
    with pytest.raises(DataError, match=r"does not list the sample 'a/1\.png'"):
        apply_clean_list(dataset(), listed)


def test_a_file_that_breaks_off_or_is_none(listed: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia, match="is not a file"):
        apply_clean_list(dataset(), tmp_path / "none.csv")
    whole = listed.read_text("utf-8")
    listed.write_text(whole[: len(whole) - 30], "utf-8")
    with pytest.raises(DataError, match=r"clean\.csv"):
        apply_clean_list(dataset(), listed)
    listed.write_bytes(bytes(range(128, 256)))
    with pytest.raises(DataError, match="cannot be read as a CSV"):
        apply_clean_list(dataset(), listed)
    listed.write_bytes(b"")
    with pytest.raises(DataError, match="has no column name, use, data_set"):
        apply_clean_list(dataset(), listed)


def test_cleaning_a_cleaned_set_by_its_old_list_is_refused(listed: Path) -> None:
    with pytest.raises(DataError, match="another data set"):
        apply_clean_list(apply_clean_list(dataset(), listed), listed)


def test_nothing_is_written_where_nothing_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="not a folder"):
        write_clean_list(tmp_path / "file" / "clean.csv", dataset(), training_faults(dataset()))


def test_line_breaks_in_names_survive(tmp_path: Path) -> None:
    odd = replace(dataset(), names=np.array(["a\nb", "c,d", "e", "f", "g"]))
    write_clean_list(tmp_path / "clean.csv", odd, training_faults(odd))
    assert len(apply_clean_list(odd, tmp_path / "clean.csv")) == 3


def test_a_name_that_is_no_text_is_written_and_found_again(tmp_path: Path) -> None:
    names = np.array(["a/1.png", "a/2.png", os.fsdecode(b"b/caf\xe9.png"), "c/3.png", "b/t.png"])
    strange = dataset(names=names)
    write_clean_list(tmp_path / "clean.csv", strange, training_faults(strange))
    assert "b/caf\\udce9.png," in (tmp_path / "clean.csv").read_text("utf-8")
    assert len(apply_clean_list(strange, tmp_path / "clean.csv")) == 3
