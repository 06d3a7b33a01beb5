from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.labels import EMOTIONS
from mien.pixels.images import read_image, write_image

Run = Callable[..., object]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def scene(seed: int, *, colour: bool = True) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, *((3,) if colour else ())), dtype=np.uint8)
    return cv2.resize(coarse, (40, 40), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Gestures in folders, two of each in two splits, one of them of another size."""
    seed = 0
    for split in ("train", "validation"):
        for label in ("loser", "punch", "super", "victory"):
            for i in range(2):
                seed += 1
                write_image(tmp_path / "set" / split / label / f"{i}.png", scene(seed)[: 40 - 10 * (seed == 1)])
    return tmp_path / "set"


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Emotions with votes, copies and a picture of no face."""
    random = np.random.default_rng(0)
    samples = np.stack([scene(i, colour=False) for i in range(42)])
    samples[7] = samples[0]
    samples[9] = samples[1] // 2 + 40
    votes = random.random((42, 7)).astype(np.float32)
    path = tmp_path / "faces.npz"
    Dataset(
        samples=samples,
        labels=np.arange(42) % 7,
        split=np.array([("train", "validation", "test")[i // 7 % 3] for i in range(42)]),
        groups=np.full(42, ""),
        votes=votes / votes.sum(axis=1, keepdims=True),
        not_a_face=np.arange(42) == 5,
        label_set=EMOTIONS,
        source="made up",
        caveats=("Made up for a test.",),
    ).save(path)
    return path


def test_a_folder_becomes_a_page_with_pictures(mien: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "report.html"
    ended = mien("data", "explore", folder, "--out", out, "--title", "Hands & more")
    assert (ended.code, ended.err) == (0, "")
    assert "The classes are about equal: each has 25.0 % to 25.0 % of train." in ended.out
    assert "The files have 2 sizes, from 40 x 30 to 40 x 40 pixels." in ended.out
    assert str(out) in ended.out
    html = out.read_text("utf-8")
    assert "<h1>Hands &amp; more</h1>" in html
    pictures = {path.stem for path in (tmp_path / "out" / "report_files").iterdir()}
    assert pictures == {"counts-bars", "counts-scatter", "samples", "means", "brightness", "contrast"}
    for name in pictures:
        assert min(read_image(tmp_path / "out" / "report_files" / f"{name}.png").shape[:2]) > 100


def test_votes_and_copies_are_shown(mien: Run, packed: Path, tmp_path: Path) -> None:
    ended = mien("data", "explore", packed, "--out", tmp_path / "report.html")
    assert ended.code == 0
    assert "Raters saw no face in 1 picture." in ended.out
    assert "Labels and votes agree on" in ended.out
    pictures = {path.name for path in (tmp_path / "report_files").iterdir()}
    assert {"agreement.png", "equal-copies.png", "near-copies.png"} <= pictures
    assert "Made up for a test." in (tmp_path / "report.html").read_text("utf-8")


def test_a_page_that_is_there_is_kept_unless_asked(mien: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    out.write_text("mine")
    ended = mien("data", "explore", folder, "--out", out)
    assert ended.code == 2
    (sentence,) = ended.sentences
    assert "--overwrite" in sentence
    assert out.read_text() == "mine"
    assert mien("data", "explore", folder, "--out", out, "--overwrite").code == 0
    assert out.read_text("utf-8").startswith("<!DOCTYPE html>")


def test_a_bad_file_is_on_the_page_and_the_rest_is_done(mien: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "train" / "loser" / "bad.jpg").write_text("no picture")
    ended = mien("data", "explore", folder, "--out", tmp_path / "report.html")
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert "bad.jpg" in sentence
    html = (tmp_path / "report.html").read_text("utf-8")
    assert "1 row or file could not be read" in html
    assert "bad.jpg" in html


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("nothing",), 1, "nothing does not exist"),
        (("FOLDER", "--size", "3"), 2, "--size"),
        (("FOLDER", "--colour", "gray"), 2, "Did you mean 'grey'?"),
    ],
)
def test_wrong_use(mien: Run, folder: Path, tmp_path: Path, words: tuple[str, ...], code: int, says: str) -> None:
    out = tmp_path / "report.html"
    ended = mien("data", "explore", *(word.replace("FOLDER", str(folder)) for word in words), "--out", out)
    assert ended.code == code
    assert says in ended.err
    assert "Traceback" not in ended.err
    assert not out.exists()


def test_landmarks_are_refused(mien: Run, tmp_path: Path) -> None:
    Dataset(
        samples=np.zeros((2, 21, 3), np.float32),
        labels=np.zeros(2, np.int64),
        split=np.array(["train"] * 2),
        groups=np.array(["", ""]),
        label_set=EMOTIONS,
        source="hands",
    ).save(tmp_path / "hands.npz")
    ended = mien("data", "explore", tmp_path / "hands.npz", "--out", tmp_path / "report.html")
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert "landmarks, not pictures" in sentence
    assert not (tmp_path / "report.html").exists()


def in_chromium(page: Path, shot: Path) -> list[str]:
    """Open a page, take its picture, and give what its console said."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", f"--user-data-dir={shot.parent / shot.stem}", "--enable-logging=stderr", "--v=0",
            f"--screenshot={shot}", "--window-size=1200,6000", page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )  # fmt: skip
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the page in")
def test_the_page_opens_in_chromium_without_a_complaint(mien: Run, packed: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<!DOCTYPE html><body><script>console.error('heard')</script>")
    assert "heard" in " ".join(in_chromium(tmp_path / "bad.html", tmp_path / "bad.png")), "complaints are heard"
    assert mien("data", "explore", packed, "--out", tmp_path / "report.html").code == 0
    assert in_chromium(tmp_path / "report.html", tmp_path / "report.png") == []
    seen = read_image(tmp_path / "report.png")
    inked = (seen < 250).any(axis=(1, 2))
    assert inked.sum() > 2500, "the page is full of figures"
    html = (tmp_path / "report.html").read_text("utf-8")
    assert len(re.findall(r"<svg", html)) == 9
