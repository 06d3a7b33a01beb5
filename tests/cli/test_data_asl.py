from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.data.dataset import load_packed
from mien.data.readers.folders import load_folders
from mien.labels import GESTURES_4
from mien.pixels.images import write_image
from mien.words import kept

Run = Callable[..., object]

NEAR_COPIES = kept("kept.near_copies")


def picture(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.full((12, 16, 3), (value, 255 - value, 7), np.uint8))


@pytest.fixture
def alphabet(tmp_path: Path) -> Path:
    """Ten pictures of each of L, A, F, V, and of B, which is no gesture."""
    root = tmp_path / "asl_alphabet"
    for k, letter in enumerate("LAFVB"):
        for i in range(1, 11):
            picture(root / letter / f"{letter}{i}.jpg", 40 * k + i)
    return root


@pytest.fixture
def massey(tmp_path: Path) -> Path:
    """Four signers, two pictures of each letter by each."""
    root = tmp_path / "massey"
    for k, letter in enumerate("lafv"):
        for signer in range(1, 5):
            for i in (1, 2):
                picture(root / letter.upper() / f"hand{signer}_{letter}_bot_seg_{i}_cropped.png", 50 * k + signer)
    return root


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def lines(text: str) -> list[str]:
    """Lines with single spaces."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_letters_become_folders_of_gestures(mien: Run, alphabet: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = mien("data", "asl", alphabet, out, "--first", 8)
    assert (ended.code, ended.err) == (0, "")
    names = files_in(out)
    assert Counter(name.rpartition("/")[0] for name in names) == {
        "": 1,
        **{f"train1/{gesture}": 8 for gesture in GESTURES_4.labels},
        **{f"validation1/{gesture}": 2 for gesture in GESTURES_4.labels},
    }
    copy = out / "validation1" / "super" / "F10.jpg"
    assert copy.read_bytes() == (alphabet / "F" / "F10.jpg").read_bytes(), "byte for byte"
    assert "victory 8 2 10" in lines(ended.out)
    assert "all 32 8 40" in lines(ended.out)
    assert f"Caveat: {NEAR_COPIES}" in ended.out
    facts = json.loads((out / "dataset.json").read_text("utf-8"))
    assert (facts["source"], facts["label_set"], facts["caveats"]) == ("asl_alphabet", "gestures4", [NEAR_COPIES])
    assert facts["groups"]["train1/loser/L1.jpg"] == "asl_alphabet"


def test_the_folders_can_be_loaded(mien: Run, massey: Path, tmp_path: Path) -> None:
    words = ("--split", "signer", "--validation", "hand2", "--test", "hand3", "--test", "hand4")
    assert mien("data", "asl", massey, tmp_path / "out", *words).code == 0
    dataset = load_folders(tmp_path / "out", size_hw=(12, 16), colour="rgb")
    assert dataset.label_set is GESTURES_4
    assert set(zip(dataset.groups.tolist(), dataset.split.tolist(), strict=True)) == {
        ("hand1", "train"),
        ("hand2", "validation"),
        ("hand3", "test"),
        ("hand4", "test"),
    }
    assert {len(list((tmp_path / "out" / part / "punch").iterdir())) for part in ("train", "validation")} == {2}
    assert dataset.caveats == ()


def test_packed_is_one_file_of_colour_pictures(mien: Run, massey: Path, tmp_path: Path) -> None:
    out = tmp_path / "hands.npz"
    words = ("--layout", "packed", "--size", 20, "--split", "signer", "--test", "hand4")
    ended = mien("data", "asl", massey, out, *words)
    assert ended.code == 0
    dataset = load_packed(out)
    assert dataset.samples.shape == (32, 20, 20, 3)
    assert dataset.samples.dtype == np.uint8
    assert dataset.name(0) == "L/hand1_l_bot_seg_1_cropped.png"
    np.testing.assert_array_equal(dataset.samples[0, 0, 0], [1, 254, 7], "RGB")
    assert Counter(dataset.groups.tolist()) == {f"hand{i}": 8 for i in range(1, 5)}
    assert set(dataset.groups[dataset.split == "test"].tolist()) == {"hand4"}
    assert "4 signers (hand1, hand2, hand3, hand4)" in ended.out
    assert "shape (32, 20, 20, 3)" in ended.out


def test_other_folders_and_names(mien: Run, alphabet: Path, tmp_path: Path) -> None:
    words = ("--map", "B=stop", "--map", "F=", "--map", "L=victory", "--first", 8)
    ended = mien("data", "asl", alphabet, tmp_path / "out", *words)
    assert ended.code == 0
    assert {path.name for path in (tmp_path / "out" / "train1").iterdir()} == {"punch", "victory", "stop"}
    assert "victory 16 4 20" in lines(ended.out)
    assert json.loads((tmp_path / "out" / "dataset.json").read_text("utf-8"))["labels"] == ["punch", "victory", "stop"]


def test_a_usual_letter_is_not_missed_when_its_gesture_comes_from_elsewhere(mien: Run, tmp_path: Path) -> None:
    for name in ("peace", "fist"):
        for i in range(3):
            picture(tmp_path / "own" / name / f"{i}.png", i)
    words = ("--map", "peace=victory", "--map", "fist=punch", "--map", "L=", "--map", "F=", "--first", 2)
    assert mien("data", "asl", tmp_path / "own", tmp_path / "out", *words).code == 0
    assert mien("data", "asl", tmp_path / "own", tmp_path / "other", *words, "--map", "first=punch").code == 1


def test_signers_from_a_groups_file(mien: Run, alphabet: Path, tmp_path: Path) -> None:
    groups = tmp_path / "groups.csv"
    signers = [("ann", "train"), ("bo", "validation"), ("cy", "test")]
    table = [
        f"{p.relative_to(alphabet).as_posix()},{','.join(signers[int(p.stem[1:]) % 3])}" for p in alphabet.glob("*/*")
    ]
    groups.write_text("file,group,split\n" + "\n".join(table) + "\n")
    ended = mien("data", "asl", alphabet, tmp_path / "out", "--split", "signer", "--groups", groups)
    assert ended.code == 0
    assert "all 12 16 12 40" in lines(ended.out)
    assert "Caveat" not in ended.out
    groups.write_text("file,group\n" + "\n".join(line.rpartition(",")[0] for line in table if "A7" not in line) + "\n")
    words = ("--split", "signer", "--groups", groups, "--validation", "ann")
    ended = mien("data", "asl", alphabet, tmp_path / "named", *words)
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert str(alphabet / "A" / "A7.jpg") in sentence
    assert "all 27 12 39" in lines(ended.out)


def test_a_random_split_has_to_be_meant(mien: Run, massey: Path, tmp_path: Path) -> None:
    out = tmp_path / "hands.npz"
    words = ("--layout", "packed", "--split", "random", "--fractions", "0.25,0.5", "--seed", 3)
    ended = mien("data", "asl", massey, out, *words)
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert "--i-know" in sentence
    assert not out.exists()
    ended = mien("data", "asl", massey, out, *words, "--i-know")
    assert ended.code == 0
    dataset = load_packed(out)
    (caveat,) = dataset.caveats
    assert f"Caveat: {caveat}" in ended.out
    assert "random" in caveat
    assert Counter(dataset.split.tolist()) == {"train": 12, "validation": 12, "test": 8}


@pytest.mark.parametrize("layout", ["folders", "packed"])
def test_pictures_that_cannot_be_read_are_named_and_left_out(
    mien: Run, alphabet: Path, tmp_path: Path, layout: str
) -> None:
    bad = [alphabet / "A" / "A3.jpg", alphabet / "V" / "V10.jpg", alphabet / "F" / "F9.jpg"]
    bad[0].write_bytes(bad[0].read_bytes()[:100])
    bad[1].write_bytes(b"")
    bad[2].write_text("no picture")
    out = tmp_path / "out.npz"
    ended = mien("data", "asl", alphabet, out, "--layout", layout, "--first", 8)
    assert ended.code == 1
    assert len(ended.sentences) == 3
    for path in bad:
        assert sum(str(path) in sentence for sentence in ended.sentences) == 1
    assert "all 31 6 37" in lines(ended.out), "the others stay in the split of their number"


@pytest.mark.parametrize("layout", ["folders", "packed"])
def test_no_pictures_of_a_class(mien: Run, alphabet: Path, tmp_path: Path, layout: str) -> None:
    for path in (alphabet / "F").iterdir():
        path.unlink()
    (alphabet / "V").rename(alphabet / "W")
    ended = mien("data", "asl", alphabet, tmp_path / "out.npz", "--layout", layout, "--first", 8)
    assert ended.code == 1
    assert [str(alphabet / "F") in ended.sentences[0], "no folder V" in ended.sentences[1]] == [True, True]
    assert len(ended.sentences) == 2
    assert "all 16 4 20" in lines(ended.out)


def test_all_pictures_unreadable(mien: Run, alphabet: Path, tmp_path: Path) -> None:
    for path in alphabet.rglob("*.jpg"):
        path.write_bytes(b"")
    for layout in ("folders", "packed"):
        ended = mien("data", "asl", alphabet, tmp_path / "out.npz", "--layout", layout, "--first", 8)
        assert ended.code == 1
        assert len(ended.sentences) == 22, "twenty, how many more, and that nothing is left"
        assert not (tmp_path / "out.npz").exists()


def test_folders_that_differ_only_in_case(mien: Run, alphabet: Path, tmp_path: Path) -> None:
    (alphabet / "a").mkdir(exist_ok=True)
    if len(os.listdir(alphabet)) == 5:  # noqa: PTH208
        pytest.skip("this file system does not tell a from A")
    picture(alphabet / "a" / "a1.jpg", 3)
    ended = mien("data", "asl", alphabet, tmp_path / "out", "--first", 8)
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert str(alphabet / "a") in sentence
    assert str(alphabet / "A") in sentence
    assert "all 24 6 30" in lines(ended.out)


def test_a_full_place_is_refused(mien: Run, alphabet: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    mien("data", "asl", alphabet, out, "--first", 8)
    ended = mien("data", "asl", alphabet, out, "--first", 9)
    assert ended.code == 2
    (sentence,) = ended.sentences
    assert "--overwrite" in sentence
    assert len(files_in(out / "train1")) == 32
    assert mien("data", "asl", alphabet, out, "--first", 9, "--overwrite").code == 0
    assert len(files_in(out / "train1")) == 36


def test_the_pictures_themselves_are_never_replaced(mien: Run, alphabet: Path, tmp_path: Path) -> None:
    before = files_in(alphabet)
    (tmp_path / "dataset.json").write_text("{}")
    (alphabet / "dataset.json").write_text("{}")
    for out in (alphabet, tmp_path):
        ended = mien("data", "asl", alphabet, out, "--first", 8, "--overwrite")
        assert ended.code == 2
        assert "would be replaced; name another folder" in ended.err
    assert set(before) < set(files_in(alphabet))


def test_too_few_pictures_and_wrong_folders(mien: Run, alphabet: Path, tmp_path: Path) -> None:
    for words, says in (
        ((alphabet,), "the first 2,400 leave none"),
        ((tmp_path / "none",), "is not a folder"),
        ((tmp_path,), "no pictures in folders called L, A, F, V"),
        ((alphabet, "--split", "signer", "--test", "ann"), "There is no data set or signer 'ann'"),
        ((alphabet, "--groups", tmp_path / "none.csv"), "is not a file"),
    ):
        ended = mien("data", "asl", words[0], tmp_path / "out", *words[1:])
        assert ended.code == 1
        assert says in ended.sentences[-1]
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--layout", "csv"), "folders"),
        (("--split", "sign"), "signer"),
        (("--split", "signer"), "--groups"),
        (("--validation", "ann"), "--split signer"),
        (("--map", "B"), "FOLDER=GESTURE"),
        (("--map", "B=../etc"), "FOLDER=GESTURE"),
        (("--map", "L=", "--map", "A=", "--map", "F=", "--map", "V="), "leaves out everything"),
        (("--size", "0"), "--size"),
    ],
)
def test_wrong_use_is_two(mien: Run, alphabet: Path, tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    ended = mien("data", "asl", alphabet, tmp_path / "out", *words)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err
    assert not (tmp_path / "out").exists()
