from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mien.errors import ModelError, OutputError, UnknownName
from mien.labels import EMOTIONS, EMOTIONS_8
from mien.models.artifact import (
    Artifact,
    Manifest,
    Score,
    load_artifact,
    write_artifact,
    zoo_artifact,
    zoo_names,
)
from mien.pixels.preprocess import InputSpec

SCORE = Score(metric="accuracy", value=0.5, data="made up", split="test", protocol="once", command="mien evaluate")
MANIFEST = Manifest(
    name="tiny",
    task="emotion",
    labels="emotions",
    input=InputSpec(size_hw=(4, 6), colour="grey", mean=(0.5,), std=(0.25,), margin=0.1, level=True),
    threshold=0.4,
    temperature=1.5,
    licence="Apache-2.0",
    origin="made in a test",
    scores=(SCORE,),
)
WEIGHTS = b"weights"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_artifact(tmp_path / "tiny", WEIGHTS, MANIFEST, "# tiny\n").folder


def _edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_grades_are_kept_and_older_folders_have_none(tmp_path: Path) -> None:
    graded = replace(MANIFEST, perhaps=0.3, baseline_gain=2.5)
    folder = write_artifact(tmp_path / "graded", WEIGHTS, graded, "# graded\n").folder
    assert (load_artifact(folder).manifest.perhaps, load_artifact(folder).manifest.baseline_gain) == (0.3, 2.5)
    _edit(folder, lambda data: (data.pop("perhaps"), data.pop("baseline_gain")))
    assert (load_artifact(folder).manifest.perhaps, load_artifact(folder).manifest.baseline_gain) == (None, 1.0)
    with pytest.raises(ValueError, match=r"at most the threshold of 0\.4, got 0\.5"):
        replace(MANIFEST, perhaps=0.5)
    detector = {"task": "face_detection", "labels": None, "perhaps": 0.3}
    with pytest.raises(ValueError, match="perhaps must be null for detectors"):
        replace(MANIFEST, **detector)


@pytest.mark.parametrize("name", zoo_names())
def test_figures_of_a_model_that_leaves_labels_out_say_what_they_are_of(name: str) -> None:
    artifact = load_artifact(name)
    measured = [each for each in artifact.manifest.scores if "emotion_accuracy.py" in each.command]
    for score in measured if artifact.manifest.left_out else ():
        every = "--all-outputs" in score.command
        assert ("all outputs" if every else "never answered") in score.protocol
        assert f"`{score.command}`" in artifact.card
        assert score.protocol in artifact.card


def test_labels_left_out_of_the_answers(tmp_path: Path) -> None:
    eight = replace(MANIFEST, labels="emotions8", left_out=("contempt",))
    manifest = load_artifact(write_artifact(tmp_path / "eight", WEIGHTS, eight, "# eight\n").folder).manifest
    assert (manifest.left_out, manifest.label_set, manifest.answers) == (("contempt",), EMOTIONS_8, EMOTIONS)
    assert MANIFEST.answers is MANIFEST.label_set
    assert "left_out" not in MANIFEST.to_dict()
    for left_out in (("joy",), EMOTIONS_8.labels[1:]):
        with pytest.raises(ValueError, match="left_out must be labels of the outputs and leave two or more of angry"):
            replace(eight, left_out=left_out)
    assert (eight.answer_columns, replace(eight, left_out=("angry", "sad")).answer_columns) == (
        [0, 1, 2, 3, 4, 5, 6],
        [1, 2, 3, 5, 6, 7],
    )
    with pytest.raises(ValueError, match="left_out must name each label once, got disgust, fear, disgust"):
        replace(eight, left_out=("disgust", "fear", "disgust"))
    detector = {"task": "face_detection", "labels": None, "left_out": ("happy",)}
    with pytest.raises(ValueError, match="two or more of none, got happy"):
        replace(MANIFEST, **detector)


def test_what_is_written_is_read_back(folder: Path) -> None:
    artifact = load_artifact(folder)
    assert replace(artifact.manifest, sha256="") == MANIFEST
    assert artifact.model_path.read_bytes() == WEIGHTS
    assert artifact.card == "# tiny\n"
    assert artifact.manifest.label_set is not None
    assert load_artifact(str(folder)) == artifact


def test_writing_again_replaces_and_leaves_nothing_behind(folder: Path) -> None:
    write_artifact(folder, b"newer", replace(MANIFEST, version="2"), "# newer\n")
    assert load_artifact(folder).manifest.version == "2"
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_foreign_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"dear")
    with pytest.raises(OutputError, match="not a model folder"):
        write_artifact(tmp_path / "photos", WEIGHTS, MANIFEST, "")
    assert (tmp_path / "photos" / "a.jpg").read_bytes() == b"dear"


def test_a_failed_write_keeps_the_old_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_kwargs: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="disk is full"):
        write_artifact(folder, b"newer", MANIFEST, "")
    monkeypatch.undo()
    assert load_artifact(folder).model_path.read_bytes() == WEIGHTS
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx", "CARD.md"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{folder}.*{name}"):
        load_artifact(folder)


def test_one_changed_byte_of_the_weights_is_refused(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"Weights")
    with pytest.raises(ModelError, match=f"{folder}.*SHA-256.*again"):
        load_artifact(folder)


@pytest.mark.parametrize("key", sorted(MANIFEST.to_dict()))
def test_every_key_is_needed(folder: Path, key: str) -> None:
    _edit(folder, lambda data: data.pop(key))
    with pytest.raises(ModelError, match=f"{folder}.*{key}"):
        load_artifact(folder)


@pytest.mark.parametrize("key", sorted(MANIFEST.input.to_dict()))
def test_every_key_of_the_input_is_needed(folder: Path, key: str) -> None:
    _edit(folder, lambda data: data["input"].pop(key))
    with pytest.raises(ModelError, match=f"{folder}.*{key}"):
        load_artifact(folder)


@pytest.mark.parametrize("place", [lambda d: d, lambda d: d["input"], lambda d: d["scores"][0]])
def test_unknown_keys_are_refused(folder: Path, place: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    _edit(folder, lambda data: place(data).update(colour_of_the_sea="blue"))
    with pytest.raises(ModelError, match="colour_of_the_sea"):
        load_artifact(folder)


@pytest.mark.parametrize("key", sorted(MANIFEST.to_dict()))
@pytest.mark.parametrize("value", [{"a": 1}, [], True, -7, float("nan"), "\u2603", ""])
def test_wrong_values_are_refused(folder: Path, key: str, value: object) -> None:
    fits = {("scores", "[]"), ("version", repr("\u2603")), ("licence", repr("\u2603")), ("origin", repr("\u2603"))}
    _edit(folder, lambda data: data.update({key: value}))
    if (key, repr(value)) in fits:
        load_artifact(folder)
        return
    with pytest.raises(ModelError, match=str(folder)):
        load_artifact(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"size_hw": [0, 4]},
        {"size_hw": "4x4"},
        {"size_hw": [4, 4, 4]},
        {"mean": 0.5},
        {"std": [0.0]},
        {"colour": "bgr"},
        {"layout": "chw"},
        {"level": 1},
        {"margin": "wide"},
    ],
)
def test_a_wrong_input_is_refused(folder: Path, change: dict[str, object]) -> None:
    _edit(folder, lambda data: data["input"].update(change))
    with pytest.raises(ModelError, match=str(folder)):
        load_artifact(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 2}', "\x00"])
def test_a_manifest_that_is_none_is_refused(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    with pytest.raises(ModelError, match=str(folder)):
        load_artifact(folder)


def test_a_manifest_that_is_not_text_is_refused(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ModelError, match=str(folder)):
        load_artifact(folder)


def test_detectors_have_no_labels_and_classifiers_do() -> None:
    with pytest.raises(ValueError, match="labels"):
        replace(MANIFEST, task="face_detection")
    with pytest.raises(ValueError, match="labels"):
        replace(MANIFEST, labels=None)
    with pytest.raises(ValueError, match="emotions6"):
        replace(MANIFEST, labels="moods")


def test_the_zoo_is_whole() -> None:
    assert {"face_centerface", "palm_mediapipe_full", "hand_landmark_full"} <= set(zoo_names())
    for name in zoo_names():
        artifact = zoo_artifact(name)
        assert isinstance(artifact, Artifact)
        assert artifact.manifest.name == name
        assert artifact.model_path.stat().st_size < 12e6
        assert artifact.card.startswith("# ")
        assert load_artifact(name) == artifact


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(UnknownName, match="hand_landmark_full"):
        load_artifact("hand_landmark_ful")
    with pytest.raises(UnknownName, match="palm_mediapipe_full"):
        zoo_artifact("palm_mediapipe")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model folder"):
        load_artifact(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="no model folder"):
        load_artifact(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("sha256", ["abc", "A" * 64, "g" * 64])
def test_a_hash_that_is_none_is_refused(sha256: str) -> None:
    with pytest.raises(ValueError, match="sha256 must be 64"):
        replace(MANIFEST, sha256=sha256)


OWN_LABELS = ("比心", "two fingers", "none")


def test_labels_of_ones_own_are_written_as_they_are(tmp_path: Path) -> None:
    manifest = replace(MANIFEST, task="gesture", labels=OWN_LABELS)
    folder = write_artifact(tmp_path / "mine", WEIGHTS, manifest, "# mine\n").folder
    assert json.loads((folder / "manifest.json").read_text("utf-8"))["labels"] == list(OWN_LABELS)
    read = load_artifact(folder).manifest
    assert read.labels == OWN_LABELS
    assert read.label_set is not None
    assert (read.label_set.name, read.label_set.labels) == ("custom", OWN_LABELS)


@pytest.mark.parametrize("labels", [[], ["a", "a"], ["a,b", "none"], [" a", "none"], ["", "none"], [1, 2]])
def test_labels_that_cannot_be_are_refused(folder: Path, labels: list[object]) -> None:
    _edit(folder, lambda data: data.update(labels=labels))
    with pytest.raises(ModelError, match=r"label|string"):
        load_artifact(folder)
