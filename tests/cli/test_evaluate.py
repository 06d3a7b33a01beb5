from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.labels import EMOTIONS, GESTURES_5
from mien.models.artifact import load_artifact
from mien.pixels.images import write_image

Run = Callable[..., object]


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """A packed set of 21 noisy pictures: 7 to train, 7 to validate, 7 to test."""
    path = tmp_path / "faces.npz"
    Dataset(
        samples=np.random.default_rng(0).integers(0, 256, (21, 48, 48), np.uint8),
        labels=np.tile(np.arange(7), 3),
        split=np.repeat(["train", "validation", "test"], 7),
        groups=np.full(21, ""),
        label_set=EMOTIONS,
        source="noise",
        caveats=("Noise is no face.",),
    ).save(path)
    return path


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """Right answers to the test split of `faces`, but for the last one."""
    path = tmp_path / "peer.csv"
    path.write_text("predicted\n" + "\n".join([*EMOTIONS.labels[:6], "happy"]) + "\n", "utf-8")
    return path


def metrics(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "metrics.json").read_text("utf-8"))
    return found


def test_predictions_made_elsewhere(mien: Run, faces: Path, answers: Path, tmp_path: Path) -> None:
    ended = mien("evaluate", answers, "--data", faces, "--out", tmp_path / "report")
    assert ended.code == 0, ended.err
    assert "85.71 %" in ended.out
    assert ended.out.splitlines()[-1] == f"report: {tmp_path / 'report' / 'report.html'}"
    assert "mien: note: Noise is no face." in ended.sentences
    found = metrics(tmp_path / "report")
    assert found["command"] == "mien evaluate peer.csv --data faces.npz --split test", "no folder of this machine"
    assert found["figures"]["accuracy"] == pytest.approx(6 / 7, abs=1e-6)
    again = mien("evaluate", tmp_path / "report" / "predictions.csv", "--data", faces, "--out", tmp_path / "again")
    assert again.code == 0, again.err
    assert metrics(tmp_path / "again")["figures"] == found["figures"]


def test_a_model_of_the_package(mien: Run, faces: Path, tmp_path: Path) -> None:
    ended = mien("evaluate", "emotion_residual", "--data", faces, "--out", tmp_path / "r", "--ten-crop")
    assert ended.code == 0, ended.err
    figures = metrics(tmp_path / "r")["figures"]
    assert set(figures["views"]) == {"five crops"}  # the model averages the mirrored view itself
    manifest = load_artifact("emotion_residual").manifest
    assert figures["calibration"]["temperature"] == manifest.temperature
    assert metrics(tmp_path / "r")["subject"]["sha256"] == manifest.sha256


def test_a_run(mien: Run, faces: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = {
        "network.widths": "[4]", "fit.epochs": "2", "fit.batch": "4", "fit.sizes": "[]", "fit.precision": "32-true",
        "loss.votes_weight": "0.0", "fit.ema": "0.0",
    }  # fmt: skip
    changes = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    trained = mien("train", "emotion", "--data", faces, "--out", run, "--device", "cpu", *changes)
    assert trained.code == 0, trained.err
    ended = mien("evaluate", run, "--data", faces, "--split", "test", "--device", "cpu")
    assert ended.code == 0, ended.err
    assert "fitted on the validation split" in (run / "evaluation-test" / "report.html").read_text("utf-8")
    found = metrics(run / "evaluation-test")
    assert found["run"]["recipe"]["name"] == "emotion"
    assert len(found["run"]["curves"]) == 2
    compared = mien("compare", run)
    assert compared.code == 0
    assert "| emotion |" in compared.out
    assert "(test, 7 samples)" in compared.out


def test_folders_of_pictures_and_one_that_is_broken(mien: Run, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for label in EMOTIONS.labels:
        for i in range(2):
            picture = random.integers(0, 256, (60, 80, 3), np.uint8)
            write_image(tmp_path / "own" / "test" / label / f"{i}.png", picture)
    (tmp_path / "own" / "test" / "happy" / "broken.png").write_bytes(b"no picture")
    ended = mien("evaluate", "emotion_residual", "--data", tmp_path / "own", "--out", tmp_path / "r")
    assert ended.code == 1, "the rest is done, but something was wrong"
    assert any("broken.png" in sentence for sentence in ended.sentences)
    assert metrics(tmp_path / "r")["data"]["samples"] == 14


def test_hands_are_looked_for_as_at_run_time(mien: Run, photo: Path, tmp_path: Path) -> None:
    for gesture in GESTURES_5.labels[:2]:
        write_image(tmp_path / "hands" / "set" / gesture / "empty.png", np.full((99, 99, 3), 128, np.uint8))
        (tmp_path / "hands" / "set" / gesture / "drawn.png").write_bytes(photo.read_bytes())
    ended = mien(
        "evaluate", "gesture_landmark", "--data", tmp_path / "hands", "--split", "all", "--out", tmp_path / "r"
    )
    assert ended.code == 0, ended.err
    assert "No hand was found in 2 of 4 pictures" in ended.err
    assert metrics(tmp_path / "r")["data"]["samples"] == 2


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["emotion_residul", "--data", "{faces}"], 2, "Did you mean 'emotion_residual'"),
        (["{tmp}", "--data", "{faces}"], 1, "is neither a run folder"),
        (["{tmp}/none.csv", "--data", "{faces}"], 1, "is neither a run folder"),
        (["face_centerface", "--data", "{faces}"], 1, "does not name expressions"),
        (["emotion_residual", "--data", "{tmp}/none"], 1, "does not exist"),
        (["emotion_residual", "--data", "{faces}", "--split", "tset"], 2, "Did you mean 'test'"),
        (
            ["emotion_residual", "--data", "{faces}", "--protocol", "mine"],
            2,
            "no protocol 'mine'; available: author, honest.",
        ),
        (["emotion_residual", "--data", "{faces}", "--device", "gpu"], 2, "no device 'gpu'"),
        (["{short}", "--data", "{faces}"], 1, "has 1 row, the split has 7 samples"),
        (["{short}", "--data", "{trained}"], 1, "no samples in its split 'test'"),
        (["emotion_residual", "--data", "{faces}", "--out", "{full}"], 2, "is not empty"),
        (
            ["emotion_residual", "--data", "{faces}", "--out", "{full}", "--overwrite"],
            2,
            "something other than a report",
        ),
    ],
)
def test_bad_input_is_one_sentence(
    mien: Run, faces: Path, tmp_path: Path, words: list[str], code: int, sentence: str
) -> None:
    from mien.data.dataset import load_packed

    (tmp_path / "short.csv").write_text("predicted\nsad\n", "utf-8")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine", "utf-8")
    dataset = load_packed(faces)
    dataset.where(dataset.split == "train").save(tmp_path / "trained.npz")
    places = {"faces": faces, "tmp": tmp_path, "short": tmp_path / "short.csv", "full": tmp_path / "full"}
    places["trained"] = tmp_path / "trained.npz"
    given = [word.format(**places) for word in words]
    if "--out" not in given:
        given += ["--out", str(tmp_path / "r")]
    ended = mien("evaluate", *given)
    assert ended.code == code, ended.err
    assert len(ended.sentences) == 1
    assert sentence in ended.err
    assert (tmp_path / "full" / "thesis.txt").read_text("utf-8") == "mine"
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("module", ["matplotlib", "sklearn"])
def test_a_missing_extra_is_named(mien_without: Run, faces: Path, answers: Path, tmp_path: Path, module: str) -> None:
    ended = mien_without(module, "evaluate", answers, "--data", faces, "--out", tmp_path / "r")
    assert ended.code == 1
    assert "pip install 'mien[data]'" in ended.err


def stated(metric: str) -> float:
    """A figure of the package's emotion model on PublicTest, as its manifest has it."""
    scores = load_artifact("emotion_residual").manifest.scores
    return next(score.value for score in scores if (score.metric, score.split) == (metric, "PublicTest"))


@pytest.mark.data
@pytest.mark.slow
def test_the_package_model_on_real_faces(mien: Run, data_root: Path, tmp_path: Path) -> None:
    """PublicTest, on which it was chosen: the figures of its card come out again."""
    ended = mien(
        "evaluate", "emotion_residual", "--data", data_root / "fer2013" / "fer2013.csv.xz",
        "--votes", data_root / "fer2013" / "fer2013new.csv", "--split", "validation", "--out", tmp_path / "r",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    figures = metrics(tmp_path / "r")["figures"]
    assert figures["accuracy"] == pytest.approx(stated("accuracy"), abs=1e-3)
    assert figures["without_copies"]["samples"] == 3293
    assert figures["ferplus"]["accuracy"] == pytest.approx(stated("accuracy_ferplus"), abs=1e-3)
    threshold = load_artifact("emotion_residual").manifest.threshold
    assert figures["risk_coverage"]["accuracy"] == pytest.approx(stated(f"accuracy_at_{threshold:g}"), abs=2e-3)
