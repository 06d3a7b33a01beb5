from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.data.layouts import write_csv, write_folders
from mien.data.readers.ferplus import Votes
from mien.data.readers.load import is_fer2013, load_dataset
from mien.errors import DataError, MienError, UnreadableMedia
from mien.labels import EMOTIONS, EMOTIONS_6, LabelSet
from mien.pixels.images import write_image

ROW = f"3,{' '.join(['7'] * 48 * 48)},Training"


def dataset(label_set: LabelSet = EMOTIONS) -> Dataset:
    count = 2 * len(label_set)
    return Dataset(
        samples=np.random.default_rng(1).integers(0, 255, (count, 48, 48), np.uint8),
        labels=np.arange(count) % len(label_set),
        split=np.array(["train", "validation"] * len(label_set)),
        groups=np.array(["g"] * count),
        label_set=label_set,
        source="made up",
        caveats=("be careful",),
    )


def fer2013(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    return path


def votes(count: int) -> Votes:
    return Votes(np.eye(count, 7, dtype=np.float32), np.zeros(count, np.bool_))


def same(one: Dataset, other: Dataset) -> bool:
    order_one, order_other = (np.lexsort((d.samples[:, 0, 1], d.samples[:, 0, 0])) for d in (one, other))
    return all(
        np.array_equal(getattr(one, name)[order_one], getattr(other, name)[order_other])
        for name in ("samples", "labels", "split")
    )


def test_a_packed_set_alone_and_in_a_folder(tmp_path: Path) -> None:
    dataset().save(tmp_path / "set" / "any.npz")
    for path in (tmp_path / "set" / "any.npz", tmp_path / "set"):
        loaded = load_dataset(path)
        assert loaded.fingerprint() == dataset().fingerprint()
        assert loaded.caveats == ("be careful",)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("emotion, Usage, pixels", "{e},{u},{p}"),  # icml_face_data.csv, as Kaggle has it
        (" emotion , pixels , usage ", "{e}, {p}, {u}"),
        ("Emotion,Pixels,Usage", "{e},{p},{u}"),
        ("PIXELS,USAGE,EMOTION", "{p},{u},{e}"),
        ('\ufeff"emotion", "Usage", "pixels"', '"{e}", "{u}", "{p}"'),
        ("emotion;Usage;pixels", "{e};{u};{p}"),
        ('\ufeffemotion;"pixels";usage', '{e};"{p}";{u}'),
        ("emotion\tpixels\tUsage", "{e}\t{p}\t{u}"),
        ("emotion,pixels,usage", " {e} , {p} , {u} "),
        (",emotion,pixels,Usage", "0,{e},{p},{u}"),  # as pandas writes it with its index
    ],
)
@pytest.mark.parametrize("name", ["icml_face_data.csv", "in a folder/any.csv"])
def test_fer2013_is_read_however_its_first_line_is_spelled(tmp_path: Path, header: str, row: str, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    rows = [
        row.format(e=e, u=u, p=" ".join([str(e)] * 48 * 48))
        for e, u in ((4, "Training"), (0, "publictest"), (6, "PrivateTest"))
    ]
    path.write_text("\n".join([header, *rows, ""]), "utf-8")
    assert is_fer2013(path)
    for given in {path, path if path.parent == tmp_path else path.parent}:
        loaded = load_dataset(given)
        assert loaded.labels.tolist() == [4, 0, 6]
        assert loaded.split.tolist() == ["train", "validation", "test"]
        assert loaded.samples[:, 0, 0].tolist() == [4, 0, 6]


@pytest.mark.parametrize("label_set", [EMOTIONS, EMOTIONS_6])
def test_folders_and_tables_give_back_what_was_written(tmp_path: Path, label_set: LabelSet) -> None:
    made = dataset(label_set)
    write_folders(made, tmp_path / "folders")
    write_csv(made, tmp_path / "tables")
    for name in ("folders", "tables"):
        loaded = load_dataset(tmp_path / name)
        assert loaded.label_set is label_set
        assert same(loaded, made)
        assert (loaded.source, loaded.caveats) == ("made up", ("be careful",))
        assert loaded.names is not None
        assert len(set(loaded.names.tolist())) == len(made), "names tell samples apart"
    assert set(load_dataset(tmp_path / "folders").groups.tolist()) == {"g"}


def test_fer2013_alone_and_in_a_folder(tmp_path: Path) -> None:
    path = fer2013(tmp_path / "fer2013.csv", ROW, ROW)
    for place in (path, tmp_path):
        loaded = load_dataset(place, votes=votes(2))
        assert loaded.samples.tolist() == [[[7] * 48] * 48] * 2
        assert loaded.votes is not None


def test_a_bad_row_is_told_when_somebody_listens(tmp_path: Path) -> None:
    path = fer2013(tmp_path / "fer2013.csv", ROW, "9" + ROW[1:])
    with pytest.raises(DataError, match="row 2"):
        load_dataset(path)
    problems: list[MienError] = []
    assert len(load_dataset(path, on_problem=problems.append)) == 1
    assert "row 2" in str(problems[0])


def test_a_table_of_paths(tmp_path: Path) -> None:
    write_image(tmp_path / "pictures/1.png", np.full((9, 9, 3), 60, np.uint8))
    path = tmp_path / "list.csv"
    path.write_text("path,label\npictures/1.png,happy\n")
    steps: list[int] = []
    loaded = load_dataset(path, size_hw=(5, 4), colour="rgb", on_step=steps.append)
    assert loaded.samples.shape == (1, 5, 4, 3)
    assert steps == [1]


def test_folders_in_size_and_colour(tmp_path: Path) -> None:
    write_image(tmp_path / "happy/1.png", np.full((9, 9, 3), 60, np.uint8))
    assert load_dataset(tmp_path, size_hw=(5, 4), colour="rgb").samples.shape == (1, 5, 4, 3)
    (tmp_path / "happy/2.png").write_bytes(b"")
    with pytest.raises(UnreadableMedia, match=r"2\.png"):
        load_dataset(tmp_path)
    assert len(load_dataset(tmp_path, on_problem=[].append)) == 1


def test_votes_are_for_fer2013_only(tmp_path: Path) -> None:
    dataset().save(tmp_path / "any.npz")
    with pytest.raises(DataError, match="votes are for the rows of FER2013"):
        load_dataset(tmp_path / "any.npz", votes=votes(2))


@pytest.mark.parametrize(
    ("content", "reason"),
    [("", "is empty"), ("when,what\n1,2\n", "its first line is 'when', 'what'"), ("emotion\n3\n", "not a data set")],
)
def test_files_that_are_no_data_set(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=reason):
        load_dataset(path)


def test_a_picture_is_no_data_set(tmp_path: Path) -> None:
    write_image(tmp_path / "1.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(DataError, match="not a data set"):
        load_dataset(tmp_path / "1.png")


def test_folders_that_are_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia, match="does not exist"):
        load_dataset(tmp_path / "none")
    with pytest.raises(DataError, match="does not hold a data set"):
        load_dataset(tmp_path)
    for name in ("a", "b"):
        dataset().save(tmp_path / f"{name}.npz")
    with pytest.raises(DataError, match=r"2 data sets, a\.npz, b\.npz; give one"):
        load_dataset(tmp_path)


def test_videos_have_to_be_imported_first(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "annotations").mkdir()
    with pytest.raises(DataError, match="mien data import"):
        load_dataset(tmp_path)


def test_a_table_that_the_facts_name_is_missing(tmp_path: Path) -> None:
    write_csv(dataset(), tmp_path / "tables")
    (tmp_path / "tables/validation.csv").unlink()
    with pytest.raises(UnreadableMedia, match=r"validation\.csv"):
        load_dataset(tmp_path / "tables")
    assert json.loads((tmp_path / "tables/dataset.json").read_text())["splits"]["train.csv"] == "train"


@pytest.mark.slow
@pytest.mark.data
def test_fer2013_of_the_project(fer2013: Dataset) -> None:
    """Read by `load_dataset`."""
    assert {split: sum(counts.values()) for split, counts in fer2013.counts().items()} == {
        "train": 28_709,
        "validation": 3_589,
        "test": 3_589,
    }
