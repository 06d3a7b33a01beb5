from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import mien
from mien.data.collect import ALIKE, BLURRED, KEPT
from mien.data.duplicates import FAULTS
from mien.data.readers.frames import NO_BOX, NOT_ANNOTATED
from mien.evaluation.latency import CLOCK
from mien.models.artifact import load_artifact, zoo_names
from mien.recipes.recipe import load_recipe, recipe_names
from mien.words import again, choose, kept, languages, words

SOURCES = sorted(Path(mien.__file__).parent.rglob("*.py"))
SENTENCES = [key for key in words("en").texts if key.startswith("kept.")]
VALUES = {
    **dict.fromkeys(("n", "copies", "missed", "left_out", "all", "missing", "threads", "processes"), 12),
    **dict.fromkeys(("difference", "small", "whole", "after", "before"), 0.25),
}
TEXTS = {"labels": "fear, sad", "split": "PublicTest", "temperature": kept("kept.temperature_here")}


def said(key: str) -> str:
    """A sentence with its placeholders filled in."""
    text = words("en").texts[key]
    names = set(re.findall(r"{(\w+)", str(text)))
    return kept(key, **{name: VALUES.get(name, TEXTS.get(name, f"my {name}")) for name in names | {"n"}})


@pytest.mark.parametrize("key", SENTENCES)
def test_every_sentence_is_known_again(key: str) -> None:
    english = said(key)
    assert again(english) == english
    choose("zh")
    chinese = again(english)
    assert chinese != english
    own = re.sub(r"my \w+|PublicTest|mien|torch|ONNX|FER\+|GB|bfloat16", "", chinese)
    assert re.search("[\u4e00-\u9fff]", own), chinese
    assert "{" not in chinese


def test_numbers_lists_and_sentences_within_are_said_again() -> None:
    choose("zh")
    assert again(kept("kept.random_copies", copies=1234, n=7178)).startswith(
        "划分是随机的：7,178 张验证和测试图片中，有 1,234 张"
    )
    assert again(kept("kept.no_pictures_of", labels="fear, sad")) == "没有 fear、sad 的图片。"
    within = kept("kept.temperature_note", temperature=kept("kept.temperature_own"))
    assert again(within) == "计算 ECE 之前用的温度：模型自己的，来自它的清单。"
    assert again(kept("kept.weights", weights="int8", small=3.6, whole=14.1, after=0.715, before=0.7201)) == (
        "权重为 int8：3.6 MB，原来是 14.1 MB；验证集准确率 71.50%，原来是 72.01%。"
    )
    assert again(kept("kept.on_samples", split="test", n=3589)) == "test，3,589 个样本"


def test_a_sentence_of_somebody_else_stays() -> None:
    choose("zh")
    for sentence in ("Do not trust this.", "", "验证集不可靠。", "a{b}c", "accuracy of mine"):
        assert again(sentence) == sentence


def test_data_is_english_whatever_is_spoken() -> None:
    before = kept("kept.near_copies")
    choose("zh")
    assert kept("kept.near_copies") == before
    assert before.startswith("Pictures of one signer")


def test_what_the_package_holds_is_known() -> None:
    """Recipes, models and clocks say nothing that could not be said in Chinese."""
    choose("zh")
    for name in recipe_names():
        recipe = load_recipe(name)
        assert again(recipe.source) != recipe.source, name
        if recipe.reference.author_metric:
            assert again(recipe.reference.author_metric) != recipe.reference.author_metric, name
    for name in zoo_names():
        for score in load_artifact(name).manifest.scores[:1]:
            assert again(score.metric) != score.metric, name
    assert again(CLOCK) != CLOCK


@pytest.mark.parametrize("language", languages())
def test_reasons_are_those_of_data(language: str) -> None:
    found = {f"{many} {what}" for many in ("no", "several") for what in ("face", "hand")}
    found = {text + "s" if text.startswith("several") else text for text in found}
    assert set(words(language).below("reason")) == {*found, KEPT, BLURRED, ALIKE, NOT_ANNOTATED, NO_BOX, *FAULTS}
    assert words("en").label("reason", BLURRED) == BLURRED
    assert words(language).label("reason", "my own class") == "my own class"


def test_every_kept_sentence_is_written_somewhere() -> None:
    asked = {
        node.value
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    data = ("kept.source.", "kept.metric_", "kept.on_", "kept.after_epochs", "kept.average_layer")
    data += ("kept.processor_time", "kept.wall_clock")
    several = ("kept.frames_several_", "kept.pictures_several_")
    assert [key for key in SENTENCES if key not in asked and not key.startswith((*data, *several))] == []


def test_the_scores_of_a_manifest_have_names_in_every_language() -> None:
    names = {score.metric for name in zoo_names() for score in load_artifact(name).manifest.scores}
    names = {name for name in names if re.fullmatch(r"\w+", name)} - {"accuracy"}
    assert len(names) > 50
    choose("zh")
    for name in names:
        assert re.search(r"[\u4e00-\u9fff]", again(name)) or name.startswith("f1_"), name
        assert "_" not in again(name).replace("thumb_up", "").replace("thumb_down", ""), name
    assert again("sad_taken_for_neutral") == "sad 被认成 neutral 的比例"
    choose("en")
    assert all(again(name) == name for name in names)
