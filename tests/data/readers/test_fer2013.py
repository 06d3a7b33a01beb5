from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.data.readers.fer2013 import load_fer2013, read_fer2013
from mien.data.readers.ferplus import UNCLEAR, Votes, load_ferplus
from mien.errors import DataError, UnreadableMedia
from mien.labels import EMOTIONS, EMOTIONS_8

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
        (line(pixels=" ".join(["0"] * (PIXELS - 1))), "row 2 has 2,303 pixels instead of 2,304"),
        (line(pixels=" ".join(["0"] * (PIXELS + 1))), "row 2 has 2,305 pixels"),
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
        (line(pixels="1" * 9000), "row 2 has 1 pixel instead"),
        (line(pixels=" ".join(["0"] * (PIXELS - 1) + ["é"])), "row 2 has the pixel 'é'"),
        ("3\n", "row 2 has 1 column instead of 3"),
        ("3,1 2,Training,4,5\n", "row 2 has 5 columns instead of 3"),
        ('3,"1 2,Training\n', "row 2 has 2 columns instead of 3"),
        (f"3,{'1' * 200_000},Training\n", "row 2 has 1 column instead of 3"),
    ],
)
def test_a_wrong_row_is_named(csv: Callable[..., Path], bad: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        load_fer2013(csv(line(), bad, line()))


BAD = (
    line(7),
    line(usage="Test"),
    line(pixels=" ".join(["0"] * (PIXELS - 1))),
    line(pixels=" ".join(["0"] * (PIXELS - 1) + ["x"])),
    line(pixels=" ".join(["0"] * (PIXELS - 1) + ["256"])),
    line(pixels=" ".join(["0"] * (PIXELS - 1) + ["-1"])),
    "3\n",
    "\udcff\udcfe,1,2\n",
)


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_bad_rows_are_named_in_their_order_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr("mien.data.readers.fer2013._CHUNK_ROWS", chunk)
    path = tmp_path / "fer.csv"
    mixed = [text for i, bad in enumerate(BAD) for text in (line(i % 7, fill=i), bad)]
    path.write_bytes((HEADER + "".join(mixed)).encode("utf-8", "surrogateescape"))
    votes = Votes(np.arange(14 * len(BAD), dtype=np.float32).reshape(-1, 7), np.arange(2 * len(BAD)) % 4 == 0)
    problems: list[str] = []
    dataset = load_fer2013(path, votes=votes, on_problem=lambda problem: problems.append(str(problem)))
    assert [text.split(" has ")[0] for text in problems] == [f"{path}, row {2 * i + 2}" for i in range(len(BAD))]
    assert dataset.samples[:, 47, 47].tolist() == list(range(len(BAD)))
    assert dataset.labels.tolist() == [i % 7 for i in range(len(BAD))]
    assert dataset.names is not None
    assert dataset.votes is not None
    assert dataset.not_a_face is not None
    assert dataset.names.tolist() == [f"row {2 * i + 1}" for i in range(len(BAD))]
    np.testing.assert_array_equal(dataset.votes, votes.distribution[::2], "votes stay with their rows")
    np.testing.assert_array_equal(dataset.not_a_face, votes.not_a_face[::2])


def test_pixels_do_not_slip_from_row_to_row(csv: Callable[..., Path]) -> None:
    """One number too few and one too many make the right number of numbers in all."""
    short = " ".join(["0"] * (PIXELS - 2) + ["", "0"])
    long = " ".join(["0"] * (PIXELS - 1) + ["0\t0"])
    problems: list[str] = []
    dataset = load_fer2013(
        csv(line(pixels=short), line(pixels=long), line(fill=9)), on_problem=lambda p: problems.append(str(p))
    )
    assert [text.partition(" has ")[2] for text in problems] == [
        "2,303 pixels instead of 2,304",
        "2,305 pixels instead of 2,304",
    ]
    assert dataset.samples.min() == 9


@pytest.mark.parametrize("text", ["  {}", "{}  ", "\t{}", "{}"])
def test_spaces_around_pixels_do_not_matter(csv: Callable[..., Path], text: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, PIXELS)
    dataset = load_fer2013(csv(line(), line(pixels=text.format(" ".join(map(str, values))))))
    np.testing.assert_array_equal(dataset.samples[1].ravel(), values)


def test_no_good_row_is_an_error(csv: Callable[..., Path]) -> None:
    problems: list[object] = []
    with pytest.raises(DataError, match="has no good rows"):
        load_fer2013(csv(line(7), line(8)), on_problem=problems.append)
    assert len(problems) == 2


def test_what_the_table_is_like_is_kept(csv: Callable[..., Path]) -> None:
    table = read_fer2013(
        csv("0,,Training,x\n", line().strip() + ",y\n", ",,,\n", "3\n", "\n", header="emotion,pixels,Usage,id\n"),
        on_problem=lambda _: None,
    )
    assert table.columns == ("emotion", "pixels", "Usage", "id")
    assert table.rows == 4, "an empty line is no row"
    assert table.missing == {"emotion": 1, "pixels": 3, "Usage": 2, "id": 2}
    assert len(table.dataset) == 1


def test_steps_are_told(csv: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.data.readers.fer2013._CHUNK_ROWS", 2)
    steps: list[int] = []
    load_fer2013(csv(*[line() for _ in range(5)]), on_step=steps.append)
    assert steps == [2, 4]


def test_the_copy_with_spaces_in_its_header(tmp_path: Path) -> None:
    path = tmp_path / "icml_face_data.csv"
    pixels = " ".join(["9"] * PIXELS)
    path.write_text(f"\ufeffemotion, Usage, pixels\n4,PrivateTest,{pixels}\n", "utf-8")
    assert load_fer2013(path).split.tolist() == ["test"]


def test_rows_are_counted_through_all_chunks(csv: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.data.readers.fer2013._CHUNK_ROWS", 2)
    good = csv(*[line(i % 7, fill=i) for i in range(5)])
    assert load_fer2013(good).samples[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(DataError, match="row 5 has the emotion '9'"):
        load_fer2013(csv(*[line() for _ in range(4)], line(9)))


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("label,pixels,Usage\n", "no column emotion"),
        ("emotion,Usage\n", "no column pixels"),
        ("a,b,c\n", "no column emotion, pixels, Usage; FER2013 has the columns emotion, pixels, Usage"),
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
    with pytest.raises(DataError, match="cannot be read as a CSV"):
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
    with pytest.raises(UnreadableMedia, match="is truncated or damaged"):
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
    with pytest.raises(UnreadableMedia, match="is truncated or damaged"):
        load_fer2013(path)
    path.write_bytes(whole[:3000] + bytes(64) + whole[3064:])
    with pytest.raises((UnreadableMedia, DataError), match=r"fer\.zip"):
        load_fer2013(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", HEADER + line())
        archive.writestr("b.csv", HEADER + line())
    with pytest.raises(UnreadableMedia, match=r"fer\.zip holds 2 CSV files"):
        load_fer2013(path)


def test_votes_ride_along_and_must_fit(csv: Callable[..., Path]) -> None:
    votes = Votes(np.eye(2, 7, dtype=np.float32), np.array([False, True]))
    dataset = load_fer2013(csv(line(), line()), votes=votes)
    assert dataset.votes is not None
    assert dataset.not_a_face is not None
    np.testing.assert_array_equal(dataset.votes, votes.distribution)
    assert dataset.not_a_face.tolist() == [False, True]
    with pytest.raises(DataError, match=r"3 rows but FER\+ has 2"):
        load_fer2013(csv(line(), line(), line()), votes=votes)


def test_labels_of_the_raters_take_the_place_of_the_own_ones(csv: Callable[..., Path]) -> None:
    path = csv(line(3, fill=1), line(4, fill=2), line(4, fill=3), line(2, "PublicTest", fill=2), line(0, "PrivateTest"))
    labels = np.array([7, 0, UNCLEAR, UNCLEAR, 6])
    votes = Votes(np.eye(5, 8, dtype=np.float32), np.zeros(5, np.bool_), EMOTIONS_8, labels)
    dataset = load_fer2013(path, votes=votes)
    assert dataset.label_set is EMOTIONS_8
    assert dataset.votes is not None
    # Row 2 has a label, but equals the row of PublicTest that has none.
    assert [dataset.name(i) for i in range(len(dataset))] == ["row 1", "row 5"]
    assert dataset.labels.tolist() == [7, 6]
    np.testing.assert_array_equal(dataset.votes, votes.distribution[[0, 4]])
    assert dataset.source.endswith("with labels of FER+")


@pytest.mark.data
@pytest.mark.slow
def test_the_published_file(fer2013: Dataset, data_root: Path) -> None:
    votes = load_ferplus(data_root / "fer2013" / "fer2013new.csv")
    assert len(fer2013) == 35_887
    assert fer2013.counts() == {
        split: dict(zip(EMOTIONS.labels, counts, strict=True)) for split, counts in PUBLISHED.items()
    }
    assert votes.not_a_face.sum() == 177
