from __future__ import annotations

import re

import pytest

from mien.labels import label_set
from mien.recipes.recipe import load_recipe
from mien.train.networks.diagram import draw_network, encode_figure
from mien.train.networks.summary import Layer, Summary, recipe_summary

pytest.importorskip("matplotlib")

RECIPES = ("emotion", "emotion_cnn3_elu", "emotion_cnn6", "emotion_tuned", "gesture_landmark", "gesture_lite0")


def layer(kind: str, *output: int, total: int = 0, trainable: int = 0) -> Layer:
    return Layer(name="x.0", kind=kind, output=output, total=total, trainable=trainable)


def drawn(*steps: Layer) -> list[str]:
    """All words of the picture of these steps."""
    total, trainable = sum(step.total for step in steps), sum(step.trainable for step in steps)
    summary = Summary(input=(1, 8, 8), layers=steps, steps=steps, total=total, trainable=trainable)
    return [text.get_text() for text in draw_network(summary, title="t", labels=("a", "b")).axes[0].texts]


@pytest.mark.parametrize("name", RECIPES)
def test_the_parameters_beside_the_blocks_add_up(name: str) -> None:
    recipe = load_recipe(name)
    summary = recipe_summary(recipe)
    figure = draw_network(summary, title=name, labels=label_set(recipe.label_set).labels)
    words = [text.get_text() for text in figure.axes[0].texts]
    beside = [re.fullmatch(r"([\d,]+)( frozen)?", word) for word in words]
    # Plain numbers are shapes of one dimension; they stand to the left, right-aligned.
    left = {i for i, text in enumerate(figure.axes[0].texts) if text.get_ha() == "right"}
    counts = [(int(m[1].replace(",", "")), m[2]) for i, m in enumerate(beside) if m and i not in left]
    assert sum(count for count, _ in counts) == summary.total
    assert sum(count for count, frozen in counts if frozen) == sum(s.total for s in summary.steps if s.frozen)
    assert name in words
    for label in label_set(recipe.label_set).labels:
        assert any(label in word for word in words)


@pytest.mark.parametrize("name", RECIPES)
def test_nothing_is_cut_off_and_no_words_meet(name: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    recipe = load_recipe(name)
    figure = draw_network(recipe_summary(recipe), title=name, labels=label_set(recipe.label_set).labels)
    renderer = FigureCanvasAgg(figure).get_renderer()
    extents = [text.get_window_extent(renderer) for text in figure.axes[0].texts if text.get_text()]
    for i, extent in enumerate(extents):
        assert figure.bbox.x0 <= extent.x0 < extent.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= extent.y0 < extent.y1 <= figure.bbox.y1
        assert not any(extent.overlaps(other) for other in extents[:i])


def test_pooling_ends_a_block_and_equal_lines_are_counted() -> None:
    conv = layer("Conv 3x3, 4", 4, 8, 8, total=10, trainable=10)
    relu, pool = layer("ReLU", 4, 8, 8), layer("Max-pool 2", 4, 4, 4)
    words = drawn(conv, relu, conv, relu, pool, layer("Conv 3x3, 4", 4, 4, 4, total=10, trainable=10))
    assert "2 x (Conv 3x3, 4 · ReLU)" in words
    assert words.count("Conv 3x3, 4") == 1
    assert "20" in words
    assert "10" in words


def test_freezing_ends_a_block() -> None:
    words = drawn(layer("Conv 3x3, 4", 4, 8, 8, total=10), layer("Conv 3x3, 4", 4, 8, 8, total=10, trainable=10))
    assert "10 frozen" in words
    assert "10" in words


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_the_same_figure_gives_the_same_bytes(suffix: str, start: bytes) -> None:
    summary = recipe_summary(load_recipe("gesture_four"))
    first, second = (encode_figure(draw_network(summary, title="g", labels=("a",)), suffix) for _ in range(2))
    assert first == second
    assert first.startswith(start)
