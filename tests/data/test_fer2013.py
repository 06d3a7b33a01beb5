from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.data.fer2013 import clean_training, load_fer2013
from mien.data.ferplus import Votes, load_ferplus
from mien.errors import DataError, UnreadableMedia
from mien.labels import EMOTIONS

HEADER = "emotion,pixels,Usage\n"
PIXELS = 48 * 48

PUBLISHED = {
    "train": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "validation": (467, 56, 496, 895, 653, 415, 607),
    "test": (491, 55, 528, 879, 594, 416, 626),
}


def line(emotion: object = 3, usage: str = "Training", *, pixels: str | None = None, fill: int = 0) -> str:
    return f"{emotion},{' '.join([str(fill)] * PIXELS) if pixels is None else pixels},{usage}\n"


@pytest.fixture
def csv(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: str, header: str = HEADER) -> Path:
        path = tmp_path / "fer.csv"
        path.write_text(header + "".join(lines), "utf-8")
        return path

    return write


def test_rows_become_images_labels_and_splits(csv: Callable[..., Path]) -> None:
    ramp = " ".join(str(i % 256) for i in range(PIXELS))
    dataset = load_fer2013(
        csv(line(0, pixels=ramp), line(6, "PublicTest", fill=255), line(3, "PrivateTest"), line(1, fill=7))
    )
    assert dataset.samples.shape == (4, 48, 48)
    assert dataset.samples.dtype == np.uint8
    np.testing.assert_array_equal(dataset.samples[0], (np.arange(PIXELS) % 256).reshape(48, 48))
    assert dataset.samples[1].min() == 255
    assert dataset.labels.tolist() == [0, 6, 3, 1]
    assert dataset.split.tolist() == ["train", "validation", "test", "train"]
    assert dataset.label_set is EMOTIONS
    assert dataset.source == "fer.csv"


def test_columns_may_stand_in_any_order_beside_others(tmp_path: Path) -> None:
    path = tmp_path / "fer.csv"
    pixels = " ".join(["9"] * PIXELS)
    path.write_text(f"Usage,id,pixels,emotion\nPublicTest,77,{pixels},5\n", "utf-8")
    dataset = load_fer2013(path)
    assert (dataset.labels.tolist(), dataset.split.tolist()) == ([5], ["validation"])


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (line(pixels=" ".join(["0"] * (PIXELS - 1))), "row 2 has 2303 pixels instead of 2304"),
        (line(pixels=" ".join(["0"] * (PIXELS + 1))), "row 2 has 2305 pixels"),
        (line(pixels=" ".join(["0"] * (PIXELS - 1) + ["x"])), "row 2 has the pixel 'x'"),
        (line(pixels=" ".join(["0"] * (PIXELS - 1) + ["256"])), "row 2 has the pixel '256'"),
        (line(pixels=" ".join(["0"] * (PIXELS - 1) + ["-1"])), "row 2 has the pixel '-1'"),
        (line(pixels=" ".join(["0"] * (PIXELS - 1) + ["1.5"])), r"row 2 has the pixel '1\.5'"),
        (line(pixels=""), "row 2 has 0 pixels"),
        (line(usage="Test"), "row 2 has the usage 'Test', not one of Training, PublicTest, PrivateTest"),
        (line(usage=""), "row 2 has the usage ''"),
        (line(7), "row 2 has the emotion '7', not a number from 0 to 6"),
        (line("happy"), "row 2 has the emotion 'happy'"),
        (line(-1), "row 2 has the emotion '-1'"),
        (line(""), "row 2 has the emotion ''"),
        ("3\n", "row 2 has 0 pixels"),
        ("3,1 2,Training,4,5\n", "no CSV that can be read"),
    ],
)
def test_a_wrong_row_is_named(csv: Callable[..., Path], bad: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        load_fer2013(csv(line(), bad, line()))


def test_rows_are_counted_through_all_chunks(csv: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.data.fer2013._CHUNK_ROWS", 2)
    good = csv(*[line(i % 7, fill=i) for i in range(5)])
    assert load_fer2013(good).samples[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(DataError, match="row 5 has the emotion '9'"):
        load_fer2013(csv(*[line() for _ in range(4)], line(9)))


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("label,pixels,Usage\n", "no column emotion"),
        ("emotion,Usage\n", "no column pixels"),
        ("a,b,c\n", "no column emotion, pixels, Usage; FER2013 has emotion, pixels, Usage"),
    ],
)
def test_missing_columns_are_named(csv: Callable[..., Path], header: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        load_fer2013(csv(line(), header=header))


def test_an_empty_file_and_one_without_rows(csv: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="is empty; FER2013 has the columns"):
        load_fer2013(csv(header=""))
    with pytest.raises(DataError, match="has no rows"):
        load_fer2013(csv())
    with pytest.raises(DataError, match="no column"):
        load_fer2013(csv(header="a,b\n"))


def test_a_file_that_is_no_csv(tmp_path: Path) -> None:
    path = tmp_path / "fer.csv"
    path.write_bytes(bytes(range(128, 256)) * 50)
    with pytest.raises(DataError, match="no CSV"):
        load_fer2013(path)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(UnreadableMedia, match="is not a file; give the FER2013 CSV"):
            load_fer2013(path)


PACKED: dict[str, Callable[[bytes], bytes]] = {".xz": lzma.compress, ".gz": gzip.compress, ".bz2": bz2.compress}


def _noise_csv() -> bytes:
    """Rows that do not compress to nothing, so that half of the file is not all of it."""
    random = np.random.default_rng(0)
    rows = [line(pixels=" ".join(map(str, random.integers(0, 256, PIXELS)))) for _ in range(60)]
    return (HEADER + "".join(rows)).encode()


@pytest.mark.parametrize("suffix", PACKED)
def test_packed_files_are_read_as_they_are(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"fer.csv{suffix}"
    path.write_bytes(PACKED[suffix]((HEADER + line(4) + line(5)).encode()))
    assert load_fer2013(path).labels.tolist() == [4, 5]


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("share", [0.5, 0.01])
def test_a_packed_file_that_breaks_off_is_named(tmp_path: Path, suffix: str, share: float) -> None:
    whole = PACKED[suffix](_noise_csv())
    path = tmp_path / f"fer.csv{suffix}"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UnreadableMedia, match="breaks off or is damaged"):
        load_fer2013(path)


@pytest.mark.parametrize("suffix", PACKED)
def test_a_damaged_packed_file_is_named(tmp_path: Path, suffix: str) -> None:
    whole = bytearray(PACKED[suffix](_noise_csv()))
    middle = len(whole) // 2
    whole[middle : middle + 64] = bytes(64)
    path = tmp_path / f"fer.csv{suffix}"
    path.write_bytes(bytes(whole))
    with pytest.raises((UnreadableMedia, DataError), match=r"fer\.csv"):
        load_fer2013(path)


def test_zip_files(tmp_path: Path) -> None:
    path = tmp_path / "fer.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fer.csv", _noise_csv())
    assert len(load_fer2013(path)) == 60
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableMedia, match="breaks off or is damaged"):
        load_fer2013(path)
    path.write_bytes(whole[:3000] + bytes(64) + whole[3064:])
    with pytest.raises((UnreadableMedia, DataError), match=r"fer\.zip"):
        load_fer2013(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", HEADER + line())
        archive.writestr("b.csv", HEADER + line())
    with pytest.raises(UnreadableMedia, match=r"fer\.zip"):
        load_fer2013(path)


def test_votes_ride_along_and_must_fit(csv: Callable[..., Path]) -> None:
    votes = Votes(np.eye(2, 7, dtype=np.float32), np.array([False, True]))
    dataset = load_fer2013(csv(line(), line()), votes=votes)
    assert dataset.votes is votes.distribution
    with pytest.raises(DataError, match=r"3 rows but FER\+ has 2"):
        load_fer2013(csv(line(), line(), line()), votes=votes)


def made(values: list[int], labels: list[int], splits: list[str]) -> Dataset:
    images = np.array(values, np.uint8)[:, None, None].repeat(4, axis=1).repeat(4, axis=2)
    return Dataset(
        samples=images,
        labels=np.array(labels),
        split=np.array(splits),
        groups=np.full(len(values), ""),
        label_set=EMOTIONS,
        source="made up",
    )


def kept(dataset: Dataset, not_a_face: NDArray[np.bool_] | None = None) -> list[int]:
    return clean_training(dataset, not_a_face=not_a_face).samples[:, 0, 0].tolist()


def test_nothing_is_dropped_from_clean_data() -> None:
    assert kept(made([1, 2, 3, 4], [0, 0, 1, 2], ["train", "train", "validation", "test"])) == [1, 2, 3, 4]


@pytest.mark.parametrize("held_out", ["validation", "test"])
def test_copies_of_held_out_images_are_dropped_from_training(held_out: str) -> None:
    dataset = made([1, 2, 1], [0, 0, 0], ["train", "train", held_out])
    cleaned = clean_training(dataset)
    assert cleaned.samples[:, 0, 0].tolist() == [2, 1]
    assert cleaned.split.tolist() == ["train", held_out]


def test_all_images_with_two_labels_are_dropped() -> None:
    assert kept(made([1, 1, 1, 2], [0, 3, 0, 3], ["train"] * 4)) == [2]


def test_the_first_of_equal_images_stays() -> None:
    dataset = made([5, 6, 5, 5], [1, 2, 1, 1], ["train"] * 4)
    assert kept(dataset) == [5, 6]


def test_images_without_a_face_are_dropped_from_training_only() -> None:
    dataset = made([1, 2, 3, 4], [0] * 4, ["train", "train", "validation", "test"])
    assert kept(dataset, np.array([True, False, True, True])) == [2, 3, 4]


def test_held_out_splits_stay_whole() -> None:
    dataset = made([1, 1, 1, 1], [0, 1, 0, 1], ["validation", "validation", "test", "test"])
    assert kept(dataset) == [1, 1, 1, 1]


def test_one_pixel_makes_another_image() -> None:
    dataset = made([1, 1], [0, 0], ["train", "train"])
    dataset.samples[1, 3, 3] = 2
    assert len(clean_training(dataset)) == 2


def test_cleaning_twice_changes_nothing_more() -> None:
    random = np.random.default_rng(0)
    splits = random.choice(["train", "validation", "test"], 300).tolist()
    dataset = made(random.integers(0, 120, 300).tolist(), random.integers(0, 2, 300).tolist(), splits)
    once = clean_training(dataset)
    assert 0 < len(once) < 300
    assert clean_training(once).fingerprint() == once.fingerprint()


@pytest.mark.data
@pytest.mark.slow
def test_the_published_file(data_root: Path) -> None:
    folder = data_root / "fer2013"
    csv = next((path for path in (folder / "fer2013.csv", folder / "fer2013.csv.xz") if path.is_file()), None)
    if csv is None or not (folder / "fer2013new.csv").is_file():
        pytest.skip(f"no FER2013 in {folder}")
    votes = load_ferplus(folder / "fer2013new.csv")
    dataset = load_fer2013(csv, votes=votes)
    assert len(dataset) == 35_887
    assert dataset.counts() == {
        split: dict(zip(EMOTIONS.labels, counts, strict=True)) for split, counts in PUBLISHED.items()
    }
    assert votes.not_a_face.sum() == 177
    cleaned = clean_training(dataset, not_a_face=votes.not_a_face)
    train, held_out = cleaned.part("train"), cleaned.where(cleaned.split != "train")
    assert (len(train), len(held_out)) == (26_775, 2 * 3_589)
    held_out_images = {image.tobytes() for image in held_out.samples}
    training_images = [image.tobytes() for image in train.samples]
    assert not held_out_images & set(training_images)
    assert len(set(training_images)) == len(training_images)
