from __future__ import annotations

import errno
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.dataset import Dataset, load_packed
from mien.errors import DataError, OutputError, UnknownName, UnreadableMedia
from mien.labels import EMOTIONS, EMOTIONS_6, GESTURES_4, GESTURES_5, LabelSet


def dataset(**changes: Any) -> Dataset:
    values: dict[str, Any] = {
        "samples": np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2),
        "labels": np.array([0, 1, 2, 3, 4, 0]),
        "split": np.array(["train", "train", "train", "validation", "test", "test"]),
        "groups": np.array(["a", "a", "b", "b", "c", "c"]),
        "label_set": GESTURES_5,
        "votes": np.eye(6, 5, dtype=np.float32),
        "names": np.array(["a/1", "a/2", "b/1", "b/2", "c/1", "c/2"]),
        "not_a_face": np.array([False, True, False, False, True, False]),
        "caveats": ("A caveat.", "Noch einer: 顔."),
        "source": "made up",
    }
    return Dataset(**(values | changes))


@pytest.mark.parametrize("column", ["labels", "split", "groups", "votes", "names", "not_a_face"])
def test_columns_have_as_many_rows_as_samples(column: str) -> None:
    with pytest.raises(DataError, match=f"6 samples came with 5 {column}"):
        dataset(**{column: getattr(dataset(), column)[:5]})


@pytest.mark.parametrize("label", [-1, 5])
def test_labels_are_of_the_label_set(label: int) -> None:
    with pytest.raises(DataError, match="between 0 and 4 for gestures"):
        dataset(labels=np.array([0, 1, 2, 3, 4, label]))


def test_votes_have_a_column_a_label() -> None:
    with pytest.raises(DataError, match="votes"):
        dataset(votes=np.zeros((6, 7), np.float32))


def test_splits_are_the_three_known_ones() -> None:
    with pytest.raises(DataError, match="'dev'"):
        dataset(split=np.array(["train"] * 5 + ["dev"]))


def test_a_part_keeps_rows_together_and_in_order() -> None:
    part = dataset().part("test")
    assert len(part) == 2
    assert part.labels.tolist() == [4, 0]
    assert part.groups.tolist() == ["c", "c"]
    np.testing.assert_array_equal(part.samples, dataset().samples[4:])
    assert part.votes is not None
    np.testing.assert_array_equal(part.votes, np.eye(6, 5)[4:])


def test_votes_may_be_missing() -> None:
    assert dataset(votes=None).part("train").votes is None


def test_a_split_without_samples_is_refused() -> None:
    with pytest.raises(DataError, match="made up has no samples in its split 'validation'"):
        dataset().where(np.array([True, True, True, False, True, True])).part("validation")


def test_an_empty_data_set_is_possible() -> None:
    assert len(dataset().where(np.zeros(6, bool))) == 0


def test_counts_by_split_and_label() -> None:
    assert dataset().counts() == {
        "train": {"loser": 1, "punch": 1, "super": 1, "victory": 0, "none": 0},
        "validation": {"loser": 0, "punch": 0, "super": 0, "victory": 1, "none": 0},
        "test": {"loser": 1, "punch": 0, "super": 0, "victory": 0, "none": 1},
    }
    assert list(dataset().part("test").counts()) == ["test"]


def test_a_split_that_lies_together_is_counted_and_taken_without_a_copy() -> None:
    whole = dataset()
    whole = replace(whole, split=np.array(["train", "train", "validation", "validation", "train", "test"]))
    assert np.shares_memory(whole.part("validation").samples, whole.samples)
    assert not np.shares_memory(whole.part("train").samples, whole.samples)
    for split in ("train", "validation", "test"):
        part = whole.part(split)
        assert whole.size(split) == len(part)
        assert (part.samples == whole.samples[whole.split == split]).all()
        assert (part.labels == whole.labels[whole.split == split]).all()
        assert sum(whole.counts()[split].values()) == len(part)
    with pytest.raises(DataError, match="no samples in its split 'test'"):
        whole.where(whole.split != "test").size("test")


def test_the_fingerprint_changes_with_the_data_and_only_with_it() -> None:
    first = dataset()
    assert first.fingerprint() == dataset(source="elsewhere").fingerprint()
    # How wide the text column is stored is no change of the data.
    assert first.fingerprint() == replace(first, split=first.split.astype("<U20")).fingerprint()
    changed = {
        replace(first, samples=first.samples[::-1]).fingerprint(),
        replace(first, labels=first.labels[::-1]).fingerprint(),
        replace(first, split=first.split[::-1]).fingerprint(),
        first.where(first.split != "test").fingerprint(),
    }
    assert len(changed | {first.fingerprint()}) == 5


def test_names_say_where_a_sample_is_from() -> None:
    part = dataset().part("test")
    assert [part.name(i) for i in range(2)] == ["c/1", "c/2"]
    assert replace(part, names=None).name(1) == "sample 1"


def test_marks_and_caveats_go_with_a_part() -> None:
    part = dataset().part("train")
    assert part.not_a_face is not None
    assert part.not_a_face.tolist() == [False, True, False]
    assert part.caveats == dataset().caveats


def test_labels_are_left_out_with_their_votes() -> None:
    votes = np.zeros((6, 5), np.float32)
    votes[0] = [0.2, 0.3, 0, 0, 0.5]
    votes[1] = [0, 0, 0, 0, 1]
    four = dataset(votes=votes).without(["none"])
    assert four.label_set is GESTURES_4
    assert four.labels.tolist() == [0, 1, 2, 3, 0]
    assert four.votes is not None
    np.testing.assert_allclose(four.votes[:2], [[0.4, 0.6, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(four.votes[2:], 0)
    assert four.names is not None
    assert four.names.tolist() == ["a/1", "a/2", "b/1", "b/2", "c/2"]
    np.testing.assert_array_equal(four.samples, dataset().samples[[0, 1, 2, 3, 5]])


def test_six_emotions_are_a_known_set_and_others_get_a_name() -> None:
    seven = dataset(label_set=EMOTIONS, votes=None)
    assert seven.without(["disgust"]).label_set is EMOTIONS_6
    assert seven.without(["disgust"]).labels.tolist() == [0, 1, 2, 3, 0]
    other = seven.without(["angry", "fear"])
    assert (other.label_set.name, other.label_set.labels) == ("emotions-5", EMOTIONS.labels[1:2] + EMOTIONS.labels[3:])
    chosen = LabelSet("mine", EMOTIONS_6.labels)
    assert seven.without(["disgust"], label_set=chosen).label_set is chosen
    with pytest.raises(UnknownName, match="'disgust'"):
        seven.without(["disgsut"])


def same(first: Dataset, second: Dataset) -> bool:
    columns = ("samples", "labels", "split", "groups", "names", "votes", "not_a_face")
    pairs = [(getattr(first, column), getattr(second, column)) for column in columns]
    return (first.label_set, first.source, first.caveats) == (second.label_set, second.source, second.caveats) and all(
        a is b is None or (a is not None and b is not None and a.dtype == b.dtype and np.array_equal(a, b))
        for a, b in pairs
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"names": None, "votes": None, "not_a_face": None, "caveats": ()},
        {"samples": np.linspace(0, 1, 6 * 63, dtype=np.float32).reshape(6, 21, 3)},
        {"label_set": LabelSet("custom", ("a", "b", "c", "d", "e"), mirror_safe=False)},
        {"label_set": LabelSet("gestures", ("a", "b", "c", "d", "e"))},
    ],
    ids=["all", "least", "features", "own labels", "own labels under a known name"],
)
def test_a_packed_file_is_read_as_it_was_written(tmp_path: Path, changes: dict[str, Any]) -> None:
    made = dataset(**changes)
    made.save(tmp_path / "new" / "set.npz")
    again = load_packed(tmp_path / "new" / "set.npz")
    assert same(made, again)
    assert again.fingerprint() == made.fingerprint()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["set.npz"]


def test_a_known_label_set_is_the_very_one(tmp_path: Path) -> None:
    dataset().save(tmp_path / "set.npz")
    assert load_packed(tmp_path / "set.npz").label_set is GESTURES_5


def test_an_empty_data_set_can_be_packed(tmp_path: Path) -> None:
    dataset().where(np.zeros(6, bool)).save(tmp_path / "set.npz")
    assert len(load_packed(tmp_path / "set.npz")) == 0


def rewritten(path: Path, facts: dict[str, Any] | None = None, **arrays: Any) -> None:
    """The packed file with other facts or arrays; None leaves one out."""
    with np.load(path) as stored:
        arrays = {**stored, **arrays}
    known = json.loads(str(arrays["facts"])) | (facts or {})
    arrays["facts"] = np.array(json.dumps({name: value for name, value in known.items() if value is not None}))
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("emotion,pixels,Usage\n"),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "no end": lambda path: path.write_bytes(path.read_bytes()[:-10]),
    "flipped": lambda path: path.write_bytes(
        path.read_bytes().replace(dataset().samples.tobytes(), dataset().samples.tobytes()[::-1])
    ),
    "one array": lambda path: np.savez(path, points=np.zeros(3)),
    "one .npy": lambda path: path.write_bytes(npy(np.zeros(3))),
    "no samples": lambda path: rewritten(path, samples=None),
    "no labels": lambda path: rewritten(path, labels=None),
    "no caveats": lambda path: rewritten(path, {"caveats": None}),
    "columns of two lengths": lambda path: rewritten(path, labels=np.zeros(5, np.int64)),
    "unknown split": lambda path: rewritten(path, split=np.array(["dev"] * 6)),
    "unknown labels": lambda path: rewritten(path, labels=np.full(6, 9)),
    "labels twice": lambda path: rewritten(path, {"labels": ["a", "a"]}),
    "no JSON": lambda path: np.savez(path, facts=np.array("{"), samples=np.zeros(3)),
    "JSON of another kind": lambda path: np.savez(path, facts=np.array("[1]"), samples=np.zeros(3)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_packed_file_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "set.npz"
    dataset().save(path)
    DAMAGE[damage](path)
    with pytest.raises(UnreadableMedia) as caught:
        load_packed(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    dataset().save(path)
    rewritten(path, {"version": 99})
    with pytest.raises(UnreadableMedia, match="packed in form 99, this version of mien reads 1; pack it again"):
        load_packed(path)


def test_no_packed_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.npz", tmp_path):
        with pytest.raises(UnreadableMedia, match="is not a file; `mien data` writes packed data sets"):
            load_packed(path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")])
def test_an_interrupted_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    path = tmp_path / "set.npz"

    def stop(file: Any, **_arrays: object) -> None:
        file.write(b"half of it")
        raise error

    for before in (None, dataset()):
        if before is not None:
            before.save(path)
        with monkeypatch.context() as patched:
            patched.setattr(np, "savez", stop)
            with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else OutputError):
                dataset(source="other").save(path)
        assert [file.name for file in tmp_path.iterdir()] == ([] if before is None else ["set.npz"])
        assert before is None or same(load_packed(path), before)


def test_a_packed_file_cannot_take_the_place_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="it is a folder"):
        dataset().save(tmp_path)
