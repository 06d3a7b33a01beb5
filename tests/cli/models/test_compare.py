from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.labels import EMOTIONS
from mien.models.artifact import zoo_artifact
from mien.pixels.images import write_image

Run = Callable[..., Any]

QUICK = ("--rounds", "2")


@pytest.fixture
def dataset() -> Dataset:
    """21 noisy pictures: 7 to train, 7 to validate, 7 to test; raters who call all of them happy."""
    votes = np.zeros((21, 7), np.float32)
    votes[:, EMOTIONS.index("happy")] = 1
    return Dataset(
        samples=np.random.default_rng(0).integers(0, 256, (21, 48, 48), np.uint8),
        labels=np.tile(np.arange(7), 3),
        split=np.repeat(["train", "validation", "test"], 7),
        groups=np.full(21, ""),
        label_set=EMOTIONS,
        votes=votes,
        source="noise",
        caveats=("Noise is no face.",),
    )


@pytest.fixture
def faces(tmp_path: Path, dataset: Dataset) -> Path:
    dataset.save(tmp_path / "faces.npz")
    return tmp_path / "faces.npz"


@pytest.fixture
def peer(tmp_path: Path) -> Path:
    """Right answers to each split of `faces`, but for the last one; and what is known of who gave them."""
    path = tmp_path / "peer.csv"
    path.write_text("predicted\n" + "\n".join([*EMOTIONS.labels[:6], "happy"]) + "\n", "utf-8")
    known = {"name": "fer", "version": "25.10.3", "licence": "MIT", "parameters": 58423, "ms_1": 0.5, "threads": 1}
    (tmp_path / "peer.json").write_text(json.dumps(known | {"notes": ["It saw these."]}), "utf-8")
    return path


def cells(line: str) -> list[str]:
    """A line of a table whose columns are two blanks apart."""
    return [cell.strip() for cell in line.split("  ") if cell]


def test_models_inside_and_a_peer_in_one_table(mien: Run, faces: Path, peer: Path) -> None:
    ended = mien("models", "compare", peer, "--data", faces, *QUICK)
    assert ended.code == 0, ended.err
    header, first, *others = map(cells, ended.out.splitlines())
    assert sorted(other[0] for other in others) == ["emotion_ferplus", "emotion_residual"]
    (second,) = (other for other in others if other[0] == "emotion_residual")
    assert header[:2] == ["model", "accuracy"]
    assert first[:2] == ["fer 25.10.3", "85.71 %"], "the best comes first"
    assert first[4:] == ["-", "58,423", "-", "0.50", "-", "MIT"]
    assert second[9] == "Apache-2.0"
    assert float(second[7]) > 0
    assert "noise, validation, by its own labels: 7 samples." in ended.err
    assert "mien: note: Noise is no face." in ended.sentences
    assert "mien: note: fer 25.10.3: It saw these." in ended.sentences
    assert "fer 25.10.3: Its times come from peer.json, on 1 thread; they were not measured in this run." in ended.err
    assert "one thread" in ended.err


def test_labels_by_the_raters(mien: Run, faces: Path, peer: Path) -> None:
    ended = mien("models", "compare", peer, "--data", faces, "--only", "--labels", "ferplus", "--rounds", 0)
    assert ended.code == 0, ended.err
    (line,) = ended.out.splitlines()[1:]
    assert cells(line)[:2] == ["fer 25.10.3", "28.57 %"], "two of seven are called happy"
    assert "by the FER+ plurality" in ended.err


def test_files_hold_the_same(mien: Run, faces: Path, peer: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "c.json"
    ended = mien(
        "models", "compare", peer, "--data", faces, "--split", "test", "--json", out, "--csv", "-",
        "--markdown", tmp_path / "c.md", *QUICK,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    stored = json.loads(out.read_text("utf-8"))
    assert [row["name"] for row in rows] == [model["name"] for model in stored["models"]]
    assert float(rows[0]["accuracy"]) == stored["models"][0]["accuracy"] == pytest.approx(6 / 7)
    (ours,) = (model for model in stored["models"] if model["name"] == "emotion_residual")
    assert (ours["kind"], ours["licence"], ours["samples"]) == ("model", "Apache-2.0", 7)
    assert ours["bytes"] == zoo_artifact("emotion_residual").model_path.stat().st_size
    assert min(ours["ms_1"], ours["ms_32"]) > 0
    assert stored["data"]["split"] == "test"
    assert stored["times"]["threads"] == 1
    assert (tmp_path / "c.md").read_text("utf-8").startswith("| model | accuracy |")


def test_a_model_folder_and_pictures_of_any_size(mien: Run, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for label in EMOTIONS.labels:
        write_image(tmp_path / "own" / "test" / label / "a.png", random.integers(0, 256, (60, 80, 3), np.uint8))
    shutil.copytree(zoo_artifact("emotion_residual").folder, tmp_path / "mine")
    ended = mien("models", "compare", tmp_path / "mine", "--data", tmp_path / "own", "--split", "all", *QUICK)
    assert ended.code == 0, ended.err
    rows = {row[0]: row for row in map(cells, ended.out.splitlines()[1:])}
    ours, mine = rows["emotion_residual"], rows["emotion_residual (mine)"]
    assert ours[1:5] == mine[1:5], "the same network has the same figures"


def test_a_run(mien: Run, faces: Path, tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    run = tmp_path / "run"
    settings = {
        "network.widths": "[4]", "fit.epochs": "1", "fit.batch": "4", "fit.sizes": "[]", "fit.precision": "32-true",
        "loss.votes_weight": "0.0", "fit.ema": "0.0",
    }  # fmt: skip
    changes = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    assert mien("train", "emotion", "--data", faces, "--out", run, "--device", "cpu", *changes).code == 0
    ended = mien("models", "compare", run, "--data", faces, "--only", *QUICK)
    assert ended.code == 0, ended.err
    row = cells(ended.out.splitlines()[1])
    assert row[0] == "emotion (run)"
    assert row[5] != "-"
    assert row[6:] == ["-", "-", "-", "not stated by its maker"]
    assert "fitted on this same split" in ended.err, "its calibration error is flattered"


@pytest.mark.parametrize(
    ("subject", "sentence"),
    [
        ("gesture_landmark", "compares emotion models, and mien evaluate measures gestures"),
        ("{short}", "has 1 row, the split has 7 samples"),
        ("{typo}", "Did you mean 'licence'"),
        ("{damaged}", "is damaged"),
        ("face_centerface", "does not name expressions"),
    ],
)
def test_what_cannot_be_read_is_reported_and_the_rest_done(
    mien: Run, faces: Path, peer: Path, tmp_path: Path, subject: str, sentence: str
) -> None:
    (tmp_path / "short.csv").write_text("predicted\nsad\n", "utf-8")
    shutil.copy(peer, tmp_path / "typo.csv")
    (tmp_path / "typo.json").write_text('{"license": "MIT"}', "utf-8")
    shutil.copytree(zoo_artifact("emotion_residual").folder, tmp_path / "damaged")
    (tmp_path / "damaged" / "model.onnx").write_bytes(b"cut")
    names = {"short": tmp_path / "short.csv", "typo": tmp_path / "typo.csv", "damaged": tmp_path / "damaged"}
    ended = mien("models", "compare", subject.format(**names), peer, "--data", faces, "--only", "--rounds", 0)
    assert ended.code == 1
    assert sum(sentence in line for line in ended.sentences) == 1
    assert "Traceback" not in ended.err
    assert [cells(line)[0] for line in ended.out.splitlines()] == ["model", "fer 25.10.3"]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["emotion_residul", "--data", "{faces}"], 2, "Did you mean 'emotion_residual'"),
        (["--data", "{faces}", "--split", "train"], 2, "no split 'train'"),
        (["--data", "{faces}", "--labels", "fer"], 2, "no kind of labels 'fer'"),
        (["--data", "{tmp}/none"], 1, "does not exist"),
        (["--data", "{trained}"], 1, "no samples in its split 'validation'"),
        (["--data", "{voteless}", "--labels", "ferplus", "{peer}"], 1, "no FER+ votes"),
    ],
)
def test_bad_input_is_one_sentence(
    mien: Run, dataset: Dataset, faces: Path, peer: Path, tmp_path: Path, words: list[str], code: int, sentence: str
) -> None:
    dataset.where(dataset.split == "train").save(tmp_path / "trained.npz")
    replace(dataset, votes=None).save(tmp_path / "voteless.npz")
    places = {name: tmp_path / f"{name}.npz" for name in ("trained", "voteless")}
    ended = mien(
        "models", "compare", *(word.format(faces=faces, tmp=tmp_path, peer=peer, **places) for word in words),
        "--json", tmp_path / "out.json", "--rounds", 0,
    )  # fmt: skip
    assert (ended.code, ended.out) == (code, ""), ended.err
    (line,) = ended.sentences
    assert sentence in line
    assert not (tmp_path / "out.json").exists()


def test_nothing_that_can_be_read_prints_nothing(mien: Run, faces: Path) -> None:
    ended = mien("models", "compare", "gesture_landmark", "--data", faces, "--only")
    assert (ended.code, ended.out) == (1, "")


def test_nothing_of_training_is_loaded(faces: Path) -> None:
    program = (
        "import sys; from mien.cli.main import main; code = main(sys.argv[1:]); "
        "sys.exit(code or any(name in sys.modules for name in ('torch', 'lightning', 'kornia')))"
    )
    words = ["models", "compare", "--data", str(faces), *QUICK]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_onnx_only_the_parameters_are_unknown(mien_without: Run, faces: Path) -> None:
    ended = mien_without("onnx", "models", "compare", "--data", faces, *QUICK)
    assert ended.code == 0, ended.err
    row = cells(ended.out.splitlines()[1])
    assert [i for i, cell in enumerate(row) if cell == "-"] == [5]
    assert "Parameters are counted where onnx is installed" in ended.err


def test_a_missing_extra_is_named(mien_without: Run, faces: Path) -> None:
    ended = mien_without("sklearn", "models", "compare", "--data", faces)
    assert ended.code == 1
    assert "pip install 'mien[data]'" in ended.err


def test_the_list_and_cards_are_where_they_were(mien: Run) -> None:
    for verb in ((), ("show",)):
        listed = mien("models", *verb)
        assert listed.code == 0
        assert "gesture_landmark" in listed.out
    card = mien("models", "emotion_residual").out
    assert card.startswith("# emotion_residual")
    assert mien("models", "show", "emotion_residual").out == card
    wrong = mien("models", "emotion_residul")
    assert wrong.code == 2
    assert "Did you mean 'emotion_residual'" in wrong.err
    usage = mien("models", "--help")
    assert usage.code == 0
    assert "compare" in usage.out


@pytest.mark.data
@pytest.mark.slow
def test_the_package_model_on_real_faces(mien: Run, data_root: Path, tmp_path: Path) -> None:
    """PublicTest by the raters' plurality: the figure of its card comes out again."""
    folder = data_root / "fer2013"
    ended = mien(
        "models", "compare", "--data", folder / "fer2013.csv.xz", "--votes", folder / "fer2013new.csv",
        "--labels", "ferplus", "--json", tmp_path / "c.json", *QUICK,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    models = {model["name"]: model for model in json.loads((tmp_path / "c.json").read_text("utf-8"))["models"]}
    model = models["emotion_residual"]
    assert model["samples"] == 3579
    assert models["emotion_ferplus"]["accuracy"] > model["accuracy"] + 0.1, "it learned these labels"
    scores = zoo_artifact("emotion_residual").manifest.scores
    (stated,) = (s.value for s in scores if (s.metric, s.split) == ("accuracy_ferplus", "PublicTest"))
    assert model["accuracy"] == pytest.approx(stated, abs=1e-3)
