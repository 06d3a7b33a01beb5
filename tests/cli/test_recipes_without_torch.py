"""What can be trained is listed and shown where nothing can be trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mien.recipes.recipe import recipe_names

Run = Callable[..., object]


@pytest.fixture
def mien(mien_without: Run) -> Run:
    return lambda *words: mien_without("torch", *words)


def test_the_list_needs_no_torch(mien: Run) -> None:
    ended = mien("recipes", "--json")
    assert (ended.code, ended.err) == (0, "")
    listed = {each["name"]: each for each in json.loads(ended.out)}
    assert tuple(listed) == recipe_names()
    assert (listed["emotion_cnn3_elu"]["parameters"], listed["emotion_cnn3_elu"]["trainable"]) == (583_846, 582_822)


def test_a_recipe_is_shown_but_for_its_layers(mien: Run) -> None:
    ended = mien("recipes", "show", "emotion_camera")
    assert ended.code == 0
    assert 'weights = "recipe:emotion"' in ended.out
    assert "trained in this order: emotion, emotion_camera; all of it by: mien train --chain emotion_c" in ended.out
    assert "1,963,438 parameters, 1,960,558 of them trainable." in ended.out
    (line,) = ended.sentences
    assert line.startswith("mien: The layers are left out: This needs torch, which is not installed")
    facts = json.loads(mien("recipes", "show", "emotion_camera", "--json").out)
    assert facts["chain"] == ["emotion", "emotion_camera"]
    assert facts["layers"] is None


def test_a_diagram_and_the_counts_of_a_file_say_what_they_need(mien: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\ntask = "emotion"\nlabel_set = "emotions"\n', "utf-8")
    for words in (("gesture_four", "--diagram", tmp_path / "net.svg"), (path,)):
        ended = mien("recipes", "show", *words)
        assert ended.code == 1
        assert ended.sentences == ["mien: This needs torch, which is not installed; run: pip install 'mien[train]'"]
    assert not (tmp_path / "net.svg").exists()
