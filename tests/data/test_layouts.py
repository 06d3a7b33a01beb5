from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.data.layouts import check_target, write_csv, write_folders
from mien.data.readers.fer2013 import load_fer2013
from mien.data.readers.folders import FACTS_NAME, load_folders
from mien.errors import DataError, MienError, OutputError, UnreadableMedia
from mien.labels import EMOTIONS, GESTURES_4, LabelSet
from mien.pixels.images import read_image

SPLITS = ["train", "train", "train", "validation", "test", "test"]


def faces(**changes: Any) -> Dataset:
    values: dict[str, Any] = {
        "samples": np.random.default_rng(0).integers(0, 256, (6, 48, 48)).astype(np.uint8),
        "labels": np.array([0, 3, 3, 6, 1, 5]),
        "split": np.array(SPLITS),
        "groups": np.full(6, ""),
        "names": np.array([f"row {i}" for i in (1, 2, 17, 30_000, 30_001, 30_002)]),
        "label_set": EMOTIONS,
        "source": "made up",
        "caveats": ("A caveat.",),
    }
    return Dataset(**(values | changes))


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def info(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / FACTS_NAME).read_text("utf-8")))


def test_a_folder_for_each_split_and_label(tmp_path: Path) -> None:
    assert len(write_folders(faces(), tmp_path / "out")) == 6
    assert files_in(tmp_path / "out") == [
        FACTS_NAME,
        "test/disgust/30001.png",
        "test/surprise/30002.png",
        "train/angry/00001.png",
        "train/happy/00002.png",
        "train/happy/00017.png",
        "validation/neutral/30000.png",
    ]
    assert info(tmp_path / "out") == {
        "version": 1,
        "source": "made up",
        "label_set": "emotions",
        "labels": list(EMOTIONS.labels),
        "caveats": ["A caveat."],
        "splits": {"train": "train", "validation": "validation", "test": "test"},
    }
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "nothing else is left"


def test_folders_are_read_as_they_were_written(tmp_path: Path) -> None:
    made = faces(groups=np.array(["a", "a", "b", "b", "c", ""]))
    write_folders(made, tmp_path / "out", splits={"train": "train1", "validation": "validation1"})
    assert {path.name for path in (tmp_path / "out").iterdir()} == {FACTS_NAME, "train1", "validation1", "test"}
    again = load_folders(tmp_path / "out", size_hw=(48, 48))
    assert (again.label_set, again.source, again.caveats[0]) == (EMOTIONS, "made up", "A caveat.")
    assert again.names is not None
    row_of = {int(Path(str(name)).stem): i for i, name in enumerate(again.names)}
    order = [row_of[row] for row in (1, 2, 17, 30_000, 30_001, 30_002)]
    np.testing.assert_array_equal(again.samples[order], made.samples)
    for column in ("labels", "split", "groups"):
        assert getattr(again, column)[order].tolist() == getattr(made, column).tolist()


def test_colour_and_files_called_alike(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 6, 3)).astype(np.uint8)
    dataset = Dataset(
        samples=images,
        labels=np.array([0, 0, 0]),
        split=np.array(["train"] * 3),
        groups=np.full(3, ""),
        names=np.array(["A/1.jpg", "S/1.jpg", "S/2.jpg"]),
        label_set=GESTURES_4,
    )
    write_folders(dataset, tmp_path / "out")
    folder = tmp_path / "out" / "train" / "loser"
    assert files_in(folder) == ["1.png", "2.png", "S-1.png"]
    np.testing.assert_array_equal(read_image(folder / "S-1.png"), images[1])
    assert files_in(tmp_path / "out")[0] == FACTS_NAME
    with pytest.raises(DataError, match=r"two samples called A/1\.jpg"):
        write_folders(Dataset(**(vars(dataset) | {"names": np.array(["A/1.jpg"] * 3)})), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_features_are_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds float32 instead of pictures"):
        write_folders(faces(samples=np.zeros((6, 21, 3), np.float32)), tmp_path / "out")


def test_content_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    def content(i: int) -> bytes:
        if i in (1, 4):
            raise UnreadableMedia(f"file {i} is damaged")
        return b"file"

    problems: list[str] = []
    kept = write_folders(
        faces(groups=np.array(list("abcdef"))),
        tmp_path / "out",
        content=content,
        on_problem=lambda problem: problems.append(str(problem)),
    )
    assert problems == ["file 1 is damaged", "file 4 is damaged"]
    assert kept.labels.tolist() == [0, 3, 6, 5]
    assert len(files_in(tmp_path / "out")) == 5
    assert info(tmp_path / "out")["groups"] == {
        "train/angry/00001.png": "a",
        "train/happy/00017.png": "c",
        "validation/neutral/30000.png": "d",
        "test/surprise/30002.png": "f",
    }
    with pytest.raises(UnreadableMedia, match="file 1"):
        write_folders(faces(), tmp_path / "strict", content=content)


def test_nothing_readable_is_nothing_written(tmp_path: Path) -> None:
    def content(i: int) -> bytes:
        raise UnreadableMedia("damaged")

    problems: list[MienError] = []
    with pytest.raises(DataError, match="no readable picture"):
        write_folders(faces(), tmp_path / "out", content=content, on_problem=problems.append)
    assert len(problems) == 6
    assert not list(tmp_path.iterdir())


def test_csv_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = faces()
    write_csv(made, tmp_path / "out")
    assert files_in(tmp_path / "out") == [FACTS_NAME, "test.csv", "train.csv", "validation.csv"]
    assert info(tmp_path / "out")["splits"]["train.csv"] == "train"
    for split in ("train", "validation", "test"):
        again, part = load_fer2013(tmp_path / "out" / f"{split}.csv"), made.part(split)
        np.testing.assert_array_equal(again.samples, part.samples)
        assert again.labels.tolist() == part.labels.tolist()
        assert set(again.split.tolist()) == {split}


def test_csv_keeps_the_numbers_of_the_emotions(tmp_path: Path) -> None:
    six = faces().without(["disgust"])
    write_csv(six, tmp_path / "out")
    labels = [load_fer2013(tmp_path / "out" / f"{split}.csv").labels for split in ("train", "validation", "test")]
    assert np.concatenate(labels).tolist() == [0, 3, 3, 6, 5]


@pytest.mark.parametrize(
    "changes",
    [
        {"samples": np.zeros((6, 100, 100, 3), np.uint8)},
        {"label_set": LabelSet("custom", (*EMOTIONS.labels[:6], "bored"))},
    ],
)
def test_csv_is_for_fer2013_only(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="48x48 grey images"):
        write_csv(faces(**changes), tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("write", [write_folders, write_csv])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")])
def test_what_is_interrupted_leaves_nothing(tmp_path: Path, write: Any, error: Any) -> None:
    def on_step(done: int) -> None:
        if done == 3:
            raise error

    expected = KeyboardInterrupt if error is KeyboardInterrupt else OutputError
    with pytest.raises(expected):
        write(faces(), tmp_path / "out", on_step=on_step)
    assert not list(tmp_path.iterdir())
    write(faces(), tmp_path / "out")
    before = files_in(tmp_path / "out")
    with pytest.raises(expected):
        write(faces().part("test"), tmp_path / "out", on_step=lambda _: on_step(3), overwrite=True)
    assert files_in(tmp_path / "out") == before, "the earlier data set stays"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_data_set_is_replaced_only_when_told(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    write_folders(faces(), out)
    with pytest.raises(OutputError, match=r"out is not empty; .* --overwrite"):
        write_folders(faces(), out)
    write_folders(faces().part("test"), out, overwrite=True)
    assert files_in(out) == [FACTS_NAME, "test/disgust/30001.png", "test/surprise/30002.png"]


def test_files_of_others_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    for layout in ("folders", "csv"):
        with pytest.raises(OutputError, match="leaves it alone"):
            check_target(tmp_path, layout, overwrite=True)
    with pytest.raises(OutputError, match="leaves it alone"):
        write_folders(faces(), tmp_path, overwrite=True)
    assert files_in(tmp_path) == ["thesis.docx"]


def test_targets_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "old.npz").write_text("old")
    (tmp_path / "folder.npz").mkdir()
    for target, layout, says in (
        ("file", "folders", "it is a file"),
        ("packed", "packed", "ends in .npz"),
        ("folder.npz", "packed", "it is a folder"),
        ("old.npz", "packed", "already exists; .* --overwrite"),
    ):
        with pytest.raises(OutputError, match=says):
            check_target(tmp_path / target, layout)
    check_target(tmp_path / "old.npz", "packed", overwrite=True)
    with pytest.raises(OutputError, match="not a folder"):
        write_folders(faces(), tmp_path / "file" / "out")


def test_a_folder_that_cannot_be_renamed_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    write_folders(faces(), out)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise PermissionError(errno.EACCES, "Permission denied")
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuse)
        with pytest.raises(OutputError, match="no permission"):
            write_csv(faces(), out, overwrite=True)
    assert len(files_in(out)) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
