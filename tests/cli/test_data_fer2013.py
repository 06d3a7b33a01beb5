from __future__ import annotations

import json
import lzma
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.data.dataset import load_packed
from mien.data.readers.fer2013 import load_fer2013
from mien.labels import EMOTIONS_6, EMOTIONS_8
from mien.pixels.images import read_image

Run = Callable[..., object]
Table = Callable[..., Path]

USAGES = ("Training",) * 8 + ("PublicTest", "PrivateTest")


def row(emotion: object, usage: str, value: object = 0, *, count: int = 2304) -> str:
    return f"{emotion},{' '.join([str(value)] * count)},{usage}\n"


def rows(count: int) -> list[str]:
    """Every ten rows are eight of Training, one of PublicTest and one of PrivateTest; no two images are equal."""
    return [row(i % 7, USAGES[i % 10], i) for i in range(count)]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    def write(lines: list[str], header: str = "emotion,pixels,Usage\n") -> Path:
        path = tmp_path / "fer2013.csv"
        path.write_text(header + "".join(lines), "utf-8")
        return path

    return write


@pytest.fixture
def ferplus(tmp_path: Path) -> Path:
    path = tmp_path / "fer2013new.csv"
    header = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
    votes = [f"Training,f{i}.png,{i % 10},{10 - i % 10},0,0,0,0,0,0,0,{11 * (i == 7)}\n" for i in range(20)]
    path.write_text(header + "".join(votes), "utf-8")
    return path


def lines(text: str) -> list[str]:
    """Lines with single spaces."""
    return [" ".join(line.split()) for line in text.splitlines()]


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_is_in_the_table_is_printed(mien: Run, table: Table, tmp_path: Path) -> None:
    ended = mien("data", "fer2013", table(rows(20)), tmp_path / "out")
    assert (ended.code, ended.err) == (0, "")
    said = lines(ended.out)
    assert "20 rows, 3 columns (emotion, pixels, Usage), shape (20, 3)" in ended.out
    for words in (
        "emotion 0",
        "pixels 0",
        "Usage 0",
        "row 2 1 1 1 1 1 1 1 ... Training",
        "emotions: 7 unique",
        "0 angry 3",
        "6 neutral 2",
        "Training 16",
        "PublicTest 2",
        "PrivateTest 2",
        "class train validation test all",
        "all 16 2 2 20",
    ):
        assert words in said, words
    assert f"train 16 images, shape (16, 2304) {tmp_path / 'out' / 'train'}" in said
    assert "mean 9.5000, standard deviation 5.7663" in ended.out  # of 0 to 19


def test_folders_have_a_grey_png_a_row(mien: Run, table: Table, tmp_path: Path) -> None:
    assert mien("data", "fer2013", table(rows(20)), tmp_path / "out").code == 0
    names = files_in(tmp_path / "out")
    assert len(names) == 21
    assert {"train/angry/00001.png", "validation/disgust/00009.png", "test/fear/00010.png", "dataset.json"} < set(names)
    image = read_image(tmp_path / "out" / "test" / "fear" / "00010.png")
    assert image.shape == (48, 48, 3)
    assert (image == 9).all()


def test_both_tests_together_are_validation(mien: Run, table: Table, tmp_path: Path) -> None:
    ended = mien("data", "fer2013", table(rows(20)), tmp_path / "out", "--merge-test")
    assert {name.split("/")[0] for name in files_in(tmp_path / "out")} == {"train", "validation", "dataset.json"}
    assert len(list((tmp_path / "out" / "validation").rglob("*.png"))) == 4
    assert "all 16 4 20" in lines(ended.out)


def test_csv_is_one_a_split(mien: Run, table: Table, tmp_path: Path) -> None:
    ended = mien("data", "fer2013", table(rows(20)), tmp_path / "out", "--layout", "csv")
    assert files_in(tmp_path / "out") == ["dataset.json", "test.csv", "train.csv", "validation.csv"]
    assert load_fer2013(tmp_path / "out" / "test.csv").samples[:, 0, 0].tolist() == [9, 19]
    assert "shape (2, 2304)" in ended.out


def test_six_classes_packed(mien: Run, table: Table, tmp_path: Path) -> None:
    out = tmp_path / "fer.npz"
    ended = mien("data", "fer2013", table(rows(20)), out, "--layout", "packed", "--drop", "disgust")
    assert ended.code == 0
    dataset = load_packed(out)
    assert dataset.label_set is EMOTIONS_6
    assert len(dataset) == 17
    assert dataset.name(1) == "row 3"
    assert "disgust" not in ended.out.partition("by class")[2]


def test_votes_are_packed_with_their_rows(mien: Run, table: Table, ferplus: Path, tmp_path: Path) -> None:
    some = rows(20)
    some[5] = row(9, "Training")
    ended = mien("data", "fer2013", table(some), tmp_path / "fer.npz", "--layout", "packed", "--ferplus", ferplus)
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert "row 6 has the emotion '9'" in sentence
    dataset = load_packed(tmp_path / "fer.npz")
    assert dataset.votes is not None
    assert dataset.not_a_face is not None
    position = [i for i in range(20) if i != 5]
    np.testing.assert_allclose(dataset.votes[:, 6], [i % 10 / 10 for i in position], rtol=1e-6)
    assert [position[i] for i in np.flatnonzero(dataset.not_a_face)] == [7]
    assert "FER+ votes of 19 images" in ended.out


@pytest.mark.parametrize("layout", ["packed", "folders"])
def test_labels_of_ferplus(mien: Run, table: Table, ferplus: Path, tmp_path: Path, layout: str) -> None:
    out = tmp_path / "fer.npz" if layout == "packed" else tmp_path / "fer"
    words = ("--layout", layout, "--labels", "ferplus", "--ferplus", ferplus)
    ended = mien("data", "fer2013", table(rows(20)), out, *words)
    assert (ended.code, ended.err) == (0, "")
    # Rows 6 and 16 have as many votes for two labels; row 8 is no face.
    assert "17 rows with a label that more raters chose than any other, 3 left out" in ended.out
    if layout == "packed":
        dataset = load_packed(out)
        assert dataset.label_set is EMOTIONS_8
        positions = [i for i in range(20) if i not in (5, 7, 15)]
        assert [dataset.name(i) for i in range(17)] == [f"row {i + 1}" for i in positions]
        assert dataset.labels.tolist() == [6 if i % 10 > 5 else 3 for i in positions]
    else:
        assert len(files_in(out / "train" / "happy")) == 10


def test_labels_of_ferplus_need_its_table(mien: Run, table: Table, tmp_path: Path) -> None:
    ended = mien("data", "fer2013", table(rows(20)), tmp_path / "out", "--labels", "ferplus")
    assert ended.code == 2
    assert "ferplus needs the votes" in " ".join(ended.err.split())


def test_a_random_split_can_be_had_again(mien: Run, table: Table, tmp_path: Path) -> None:
    source = table(rows(100))
    splits = []
    for i, seeds in enumerate(("42,41", "42,41", "42", "7")):
        out = tmp_path / f"{i}.npz"
        words = ("--layout", "packed", "--split", "random", "--fractions", "0.1,0.1", "--seed", seeds)
        ended = mien("data", "fer2013", source, out, *words)
        assert (ended.code, "Caveat" in ended.out) == (0, False)
        splits.append(load_packed(out).split.tolist())
    assert (splits[0].count("test"), splits[0].count("validation")) == (10, 9)
    assert splits[0] == splits[1] != splits[2] != splits[3]


def test_copies_that_a_random_split_tears_apart_are_said(mien: Run, table: Table, tmp_path: Path) -> None:
    same = [row(i % 7, "Training", i // 10) for i in range(100)]
    out = tmp_path / "fer.npz"
    ended = mien("data", "fer2013", table(same), out, "--layout", "packed", "--split", "random")
    (caveat,) = load_packed(out).caveats
    assert "19 of 19 validation and test images equal a training image" in caveat
    assert f"Caveat: {caveat}" in ended.out.splitlines()


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (row(3, "Training", count=2303), "has 2,303 pixels instead of 2,304"),
        (row(3, "Training", "x"), "has the pixel 'x'"),
        (row(3, "Training", 256), "has the pixel '256'"),
        (row(3, "Training", -1), "has the pixel '-1'"),
        (row(3, "Test"), "has the usage 'Test'"),
        (row(7, "Training"), "has the emotion '7'"),
        ("3\n", "has 1 column instead of 3"),
    ],
)
@pytest.mark.parametrize("layout", ["folders", "csv", "packed"])
def test_a_bad_row_is_named_and_the_rest_is_done(
    mien: Run, table: Table, tmp_path: Path, bad: str, says: str, layout: str
) -> None:
    some = rows(20)
    source = table([*some[:4], bad, *some[4:]])
    out = tmp_path / ("out.npz" if layout == "packed" else "out")
    ended = mien("data", "fer2013", source, out, "--layout", layout)
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert sentence.startswith(f"mien: {source}, row 5 {says}")
    assert "20 rows taken, 1 left out" in ended.out
    assert "all 16 2 2 20" in lines(ended.out)
    assert out.exists()


def test_empty_fields_are_missing_values(mien: Run, table: Table, tmp_path: Path) -> None:
    ended = mien("data", "fer2013", table([*rows(20), ",,Training\n", "3,,\n"]), tmp_path / "out")
    assert ended.code == 1
    assert len(ended.sentences) == 2
    for words in ("emotion 1", "pixels 2", "Usage 1"):
        assert words in lines(ended.out)


def test_after_twenty_bad_rows_only_their_number_is_said(mien: Run, table: Table, tmp_path: Path) -> None:
    ended = mien("data", "fer2013", table([*rows(20), *[row(7, "Training")] * 33]), tmp_path / "out")
    assert ended.code == 1
    assert len(ended.sentences) == 21
    assert ended.sentences[-1] == "mien: and 13 more rows like these."


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("emotion,pixels,Usage\n", "has no rows"),
        ("label,pixels,Usage\n1,2,Training\n", "has no column emotion"),
        ("emotion,pixels,Usage\n9,9,9\n", "has no good rows"),
    ],
)
def test_a_table_of_nothing(mien: Run, tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text(content)
    ended = mien("data", "fer2013", path, tmp_path / "out")
    assert ended.code == 1
    assert says in ended.sentences[-1]
    assert str(path) in ended.sentences[-1]
    assert not (tmp_path / "out").exists()
    assert mien("data", "fer2013", tmp_path / "none.csv", tmp_path / "out").code == 1


@pytest.mark.parametrize("layout", ["folders", "packed"])
def test_a_table_that_breaks_off_is_not_taken_for_whole(mien: Run, tmp_path: Path, layout: str) -> None:
    random = np.random.default_rng(0)
    noise = [f"3,{' '.join(map(str, random.integers(0, 256, 2304)))},Training\n" for _ in range(40)]
    path = tmp_path / "fer2013.csv.xz"
    whole = lzma.compress(("emotion,pixels,Usage\n" + "".join(noise)).encode())
    path.write_bytes(whole[: len(whole) // 2])
    ended = mien("data", "fer2013", path, tmp_path / "out.npz", "--layout", layout)
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert f"{path} is truncated or damaged after row " in sentence
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_full_place_is_refused_before_anything_is_read(mien: Run, table: Table, tmp_path: Path) -> None:
    source, out = table(rows(20)), tmp_path / "out"
    mien("data", "fer2013", source, out)
    (tmp_path / "out.npz").write_text("mine")
    for words in ((out,), (tmp_path / "out.npz", "--layout", "packed")):
        ended = mien("data", "fer2013", "not-read.csv", *words)
        assert ended.code == 2
        (sentence,) = ended.sentences
        assert "--overwrite" in sentence
    assert mien("data", "fer2013", source, out, "--drop", "happy", "--overwrite").code == 0
    assert not (out / "train" / "happy").exists()
    assert mien("data", "fer2013", source, tmp_path / "out.npz", "--layout", "packed", "--overwrite").code == 0
    assert len(load_packed(tmp_path / "out.npz")) == 20
    ended = mien("data", "fer2013", source, tmp_path, "--overwrite")
    assert ended.code == 2
    assert "holds the input" in ended.err
    assert source.is_file()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--layout", "folder"), "folders"),
        (("--split", "rnd"), "random"),
        (("--drop", "disgsut"), "disgust"),
        (("--ferplus", "x.csv"), "packed"),
        (("--seed", "1"), "--split random"),
        (("--fractions", "0.1"), "--split random"),
        (("--split", "random", "--fractions", "0.1,x"), "0.1,x"),
        (("--split", "random", "--fractions", "1.5"), "1.5"),
        (("--split", "random", "--seed", "1,2,3"), "1,2,3"),
        (("--split", "random", "--seed", "-1"), "-1"),
    ],
)
def test_wrong_use_is_two(mien: Run, table: Table, tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    ended = mien("data", "fer2013", table(rows(20)), tmp_path / "out", *words)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("layout", ["folders", "csv"])
def test_ctrl_c_leaves_nothing_that_is_taken_for_whole(
    mien_process: Run, table: Table, tmp_path: Path, layout: str
) -> None:
    source = table([row(i % 7, "Training", i % 256) for i in range(4_000)])
    process = mien_process("data", "fer2013", source, tmp_path / "out", "--layout", layout)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(tmp_path.glob(".out-*/new/*")):
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert len(err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


@pytest.mark.data
@pytest.mark.slow
def test_the_published_file(mien: Run, data_root: Path, tmp_path: Path) -> None:
    folder = data_root / "fer2013"
    csv = next((path for path in (folder / "fer2013.csv", folder / "fer2013.csv.xz") if path.is_file()), None)
    if csv is None:
        pytest.skip(f"no FER2013 in {folder}")
    six = mien("data", "fer2013", csv, tmp_path / "out", "--merge-test", "--drop", "disgust")
    assert six.code == 0
    assert "shape (35887, 3)" in six.out
    assert "1 disgust 547" in lines(six.out)
    assert "all 28,273 7,067 35,340" in lines(six.out)
    assert len(list((tmp_path / "out" / "train").rglob("*.png"))) == 28_273
    assert json.loads((tmp_path / "out" / "dataset.json").read_text("utf-8"))["label_set"] == "emotions6"
