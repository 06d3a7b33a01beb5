from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from mien.errors import InputError, ModelError, OutputError, RefusedOutput, UnknownName
from mien.labels import GESTURES
from mien.models.artifact import load_artifact
from mien.stages.classify import GestureClassifier
from mien.teach import Take, forget_gesture, model, taught_model, teach_takes
from mien.teach.bank import load_bank
from mien.teach.model import KNOWN_AFTER, KNOWN_BEFORE, MISTAKEN, RIGHT, SURE, checked_name
from mien.teach.takes import TAKES_FILE

Make = Callable[..., Take]
BANK = load_bank()


def little(label: str, first: int = 0, count: int = 40) -> Take:
    """Little fingers: hands of the bank that say `call`, with the thumb of a fist."""
    calls, fists = (BANK.samples[BANK.labels == shown][first : first + count].copy() for shown in ("call", "punch"))
    calls[:, 1:5] = fists[:, 1:5]
    return Take(label, calls, "video", "2026-11-26")


def thumbless(label: str, first: int = 0, count: int = 40) -> Take:
    """Four fingers: open hands with the thumb of a fist."""
    palms, fists = (BANK.samples[BANK.labels == shown][first : first + count].copy() for shown in ("palm", "punch"))
    palms[:, 1:5] = fists[:, 1:5]
    return Take(label, palms, "photos", "2026-11-26")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows two gestures, the first from two takes."""
    folder = tmp_path_factory.mktemp("models") / "我的"
    teach_takes([little("比心"), little("比心", 40)], folder)
    teach_takes([thumbless("four fingers")], folder)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_is_a_model_that_knows_all_gestures(folder: Path) -> None:
    manifest = load_artifact(folder).manifest
    assert manifest.labels == (*GESTURES.labels[:-1], "比心", "four fingers", "none")
    assert (manifest.name, manifest.version, manifest.task) == ("taught", "2", "gesture")
    assert manifest.licence.startswith("HaGRID")
    assert names(folder) == ["CARD.md", "manifest.json", "model.onnx", TAKES_FILE]
    assert "比心" in load_artifact(folder).card
    with GestureClassifier(load_artifact(folder)) as gestures:
        assert gestures.threshold == manifest.threshold
        for take, label in ((little("x", 100), "比心"), (thumbless("x", 100), "four fingers")):
            answers = np.array(gestures.labels.labels)[gestures.probabilities(take.samples).argmax(axis=1)]
            assert (answers == label).mean() > 0.85
        rows = gestures.probabilities(BANK.samples)
    right = np.array(manifest.labels)[rows.argmax(axis=1)] == BANK.labels
    assert right[BANK.labels != "none"].mean() > 0.93


def test_the_takes_are_kept_and_the_figures_are_in_the_manifest(folder: Path) -> None:
    taught = taught_model(folder)
    assert taught.labels == ("比心", "four fingers")
    assert [len(take.samples) for take in taught.takes_of("比心")] == [40, 40]
    for label in taught.labels:
        right, sure = taught.score(f"{RIGHT}{label}"), taught.score(f"{SURE}{label}")
        assert right is not None
        assert sure is not None
        assert 0.6 < sure <= right <= 1
    splits = {score.metric: score.split for score in taught.artifact.manifest.scores}
    assert splits[f"{RIGHT}比心"] == "each take left out in turn"
    assert "promises" in splits[f"{RIGHT}four fingers"]
    before, after, mistaken = (taught.score(name) for name in (KNOWN_BEFORE, KNOWN_AFTER, MISTAKEN))
    assert before is not None
    assert after is not None
    assert mistaken is not None
    assert before - 0.02 < after <= before
    assert 0 <= mistaken < 0.3


def test_what_the_examples_are_close_to_is_told(tmp_path: Path, bank_take: Make) -> None:
    taught = teach_takes([bank_take("ring me", "call")], tmp_path / "m")
    assert set(taught.close_to["ring me"]) == {"call"}
    assert taught.close_to["ring me"]["call"] > 0.8


def test_a_take_left_out_is_not_asked_by_heads_that_saw_it(tmp_path: Path) -> None:
    """Two takes of different gestures under one name: each is unknown to heads fitted on the other."""
    mixed = teach_takes([little("mixed"), thumbless("mixed")], tmp_path / "mixed").estimates["mixed"]
    alone = teach_takes([little("alone"), little("alone", 40)], tmp_path / "alone").estimates["alone"]
    assert mixed.takes == alone.takes == 2
    assert mixed.right < 0.6
    assert alone.right > 0.9


def test_the_same_name_adds_a_take_and_replace_forgets(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    teach_takes([little("Wave")], folder)
    assert checked_name("wave", folder) == "Wave"
    assert len(teach_takes([little("Wave", 50)], folder).takes) == 2
    assert checked_name(" WAVE\t", folder) == "Wave"
    replaced = teach_takes([little("Wave", 90)], folder, replace=True)
    assert len(replaced.takes) == 1
    np.testing.assert_array_equal(replaced.takes[0].samples, little("x", 90).samples)


def test_what_another_run_taught_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "m"
    fit, others = model.Fitter.fit, [thumbless("four")]

    def fit_slowly(fitter: model.Fitter, takes: Sequence[Take]) -> model.Fitted:
        if others:
            teach_takes([others.pop()], folder)
        return fit(fitter, takes)

    monkeypatch.setattr(model.Fitter, "fit", fit_slowly)
    assert teach_takes([little("Wave")], folder).labels == ("four", "Wave")  # both made the folder
    others.append(little("wave", 50))
    left = forget_gesture("four", folder)
    assert left is not None
    assert [take.label for take in left.takes] == ["Wave", "Wave"]
    assert taught_model(folder).labels == ("Wave",)


def test_forgetting_one_leaves_the_others_and_the_last_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    teach_takes([little("a"), thumbless("b")], folder)
    with pytest.raises(UnknownName, match="'c'"):
        forget_gesture("c", folder)
    left = forget_gesture("a", folder)
    assert left is not None
    assert left.labels == ("b",)
    assert load_artifact(folder).manifest.labels == (*GESTURES.labels[:-1], "b", "none")
    assert forget_gesture("b", folder) is None
    assert not folder.exists()


def test_the_last_gesture_is_forgotten_as_a_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "m"
    teach_takes([little("a")], folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def no(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", no)
        with pytest.raises(OutputError, match="Cannot write"):
            forget_gesture("a", folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    remove, tries = shutil.rmtree, []

    def stop_once(path: Path, **how: bool) -> None:
        tries.append(path)
        if len(tries) == 1:
            (path / TAKES_FILE).unlink()
            raise KeyboardInterrupt
        remove(path, **how)

    monkeypatch.setattr(shutil, "rmtree", stop_once)
    with pytest.raises(KeyboardInterrupt):
        forget_gesture("a", folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "victory",
        "Victory ",
        "thumb up",
        "thumb_up",
        "open palm",
        "none",
        "No known gesture",
        "thumbs up",
        "THUMB-UP",
        "\uff36ictory",
        "ok",
        "fist",
        "点赞",
        "剪刀手",
        "拳頭",
        "无",
        "nothing",
    ],
)
def test_a_gesture_of_the_package_cannot_be_taught(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="already"):
        checked_name(name, tmp_path / "m")


@pytest.mark.parametrize("name", ["A", "l", "point out", "比心手势", "three fingers"])
def test_a_letter_or_another_word_may_be_taught(name: str, tmp_path: Path) -> None:
    assert checked_name(name, tmp_path / "m") == name


def test_a_name_that_looks_the_same_is_the_same(tmp_path: Path) -> None:
    folder, family = tmp_path / "m", "👨\u200d👩\u200d👧"
    teach_takes([little(family)], folder)
    assert taught_model(folder).labels == (family,)
    assert load_artifact(folder).manifest.labels is not None
    assert checked_name(f" {family}\u200d ", folder) == family
    assert checked_name("👨👩👧", folder) == family
    with pytest.raises(InputError, match="already"):
        checked_name("vic\u200dtory", folder)
    assert forget_gesture(family.replace("\u200d", ""), folder) is None


def test_spaces_of_any_width_are_one(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    assert checked_name("Two  \u3000fingers", folder) == "Two fingers"
    teach_takes([little("Two fingers")], folder)
    assert taught_model(folder).labels == ("Two fingers",)
    for name in ("two  fingers", "Two\tFingers", "TWO\u3000FINGERS "):
        assert checked_name(name, folder) == "Two fingers"
    with pytest.raises(UnknownName, match=r"There is no taught gesture 'Twofingers'.*Did you mean 'Two fingers'"):
        forget_gesture("Twofingers", folder)
    assert forget_gesture("two   FINGERS", folder) is None


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "m"
    teach_takes([little("x")], folder)
    before = (folder / TAKES_FILE).read_bytes()
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != folder)
    monkeypatch.setattr(model, "Fitter", None)  # nothing is fitted
    with pytest.raises(OutputError, match=r"Cannot write .*m: you have no permission"):
        checked_name("y", folder)
    for act in (lambda: teach_takes([little("y")], folder), lambda: forget_gesture("x", folder)):
        with pytest.raises(OutputError, match="you have no permission"):
            act()
    assert (folder / TAKES_FILE).read_bytes() == before


@pytest.mark.parametrize("name", ["", " ", "a,b", "x" * 41, "a\x07", "\u200d", "a\u202eb"])
def test_a_name_must_be_a_label(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="label"):
        checked_name(name, tmp_path / "m")


def test_folders_that_hold_something_else_are_spared(tmp_path: Path, folder: Path) -> None:
    mine = tmp_path / "photos"
    mine.mkdir()
    (mine / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(RefusedOutput, match="nothing was taught into it"):
        checked_name("x", mine)
    with pytest.raises(RefusedOutput, match="in the package"):
        checked_name("x", "gesture_landmark")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RefusedOutput, match="is a file"):
        checked_name("x", tmp_path / "file")
    with pytest.raises(ModelError, match="no model folder"):
        taught_model(tmp_path / "nowhere")
    (folder / "notes.txt").write_text("mine")
    try:
        with pytest.raises(RefusedOutput, match=r"notes\.txt"):
            teach_takes([little("x")], folder)
    finally:
        (folder / "notes.txt").unlink()


def test_a_damaged_model_is_told_and_left(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    teach_takes([little("a")], folder)
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "sha256": "0" * 64}))
    before = (folder / TAKES_FILE).read_bytes()
    with pytest.raises(ModelError, match="SHA-256"):
        teach_takes([little("a", 50)], folder)
    assert (folder / TAKES_FILE).read_bytes() == before


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "m"
    teach_takes([little("a")], folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(self: Path, data: bytes) -> int:
        if self.name == TAKES_FILE:
            raise OSError(28, "No space left on device")
        with self.open("wb") as file:
            return file.write(data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="disk is full"):
        teach_takes([little("b")], folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
