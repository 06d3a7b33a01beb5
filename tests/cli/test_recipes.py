from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mien.cli import recipes
from mien.models.artifact import load_artifact
from mien.words import again, choose

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

Run = Callable[..., object]

COUNTS = {
    "emotion_cnn3_elu": (583_846, 582_822),
    "emotion_cnn3_relu": (583_911, 582_887),
    "emotion_cnn5": (55_734_150, 55_734_150),
    "emotion_cnn6": (5_810_183, 5_805_191),
    "gesture_vgg16": (14_867_100, 152_412),
}


@pytest.fixture(scope="module")
def listed() -> dict[str, dict[str, object]]:
    from typer.testing import CliRunner

    done = CliRunner().invoke(recipes.app, ["--json"])
    assert done.exit_code == 0
    return {each["name"]: each for each in json.loads(done.stdout)}


def test_every_recipe_is_listed_on_its_own_line(mien: Run) -> None:
    from mien.recipes.recipe import load_recipe, recipe_names

    ended = mien("recipes")
    assert ended.code == 0
    for name in recipe_names():
        (line,) = (line for line in ended.out.splitlines() if line.split()[:1] == [name])
        score = load_recipe(name).reference.author_score
        assert (f"{100 * score:.1f} %" in line) is bool(score)
    assert ended.err == ""


@pytest.mark.parametrize("name", COUNTS)
def test_the_list_counts_as_published(listed: dict[str, dict[str, object]], name: str) -> None:
    assert (listed[name]["parameters"], listed[name]["trainable"]) == COUNTS[name]


def test_the_table_of_parameters_is_what_the_networks_have(listed: dict[str, dict[str, object]]) -> None:
    from mien.recipes.recipe import load_recipe
    from mien.train.networks.summary import recipe_counts

    for name, facts in listed.items():
        counts = (facts["parameters"], facts["trainable"])
        assert counts == recipe_counts(load_recipe(name)), f"run tools/count_parameters.py: {name}"


def test_records_name_labels_source_and_reference(listed: dict[str, dict[str, object]]) -> None:
    facts = listed["emotion_cnn3_elu"]
    assert facts["labels"] == ["angry", "fear", "happy", "sad", "surprise", "neutral"]
    assert "tutorial A" in str(facts["source"])
    assert facts["reference"]["ref"] == "A-emo1"  # type: ignore[index]
    assert listed["emotion"]["reference"] is None


@pytest.mark.parametrize("name", ["emotion_residual", "emotion_ferplus"])
def test_the_figure_of_a_model_inside_is_its_manifests(listed: dict[str, dict[str, object]], name: str) -> None:
    model = load_artifact(name)
    stated = {
        score.value for score in model.manifest.scores if (score.metric, score.split) == ("accuracy", "PublicTest")
    }
    (recipe,) = (each for each in listed if f"Recipe `{each}`" in model.card)
    assert listed[recipe]["measured"]["accuracy"] in stated  # type: ignore[index]


def test_our_figures_stand_beside_the_authors_once_measured(
    mien: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = {"accuracy": 0.6789, "on": "validation, 3,230 images", "command": "mien evaluate"}
    (tmp_path / "measured.json").write_text(json.dumps({"emotion_cnn3_relu": figure}))
    monkeypatch.setattr(recipes, "_MEASURED", tmp_path / "measured.json")
    measured = mien("recipes", "show", "emotion_cnn3_relu").out
    assert "author: 65.6 % validation accuracy" in measured
    assert "mien: 67.9 % validation, 3,230 images" in measured
    assert "mien: not measured yet" in mien("recipes", "show", "emotion_base").out
    (line,) = (line for line in mien("recipes").out.splitlines() if line.startswith("emotion_cnn3_relu "))
    assert "65.6 %   67.9 %" in line


def test_another_figure_of_the_same_author_is_marked(
    mien: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = {"accuracy": 0.595, "on": "validation, best epoch", "command": "mien train", "ref": "D-tuned, 12 epochs"}
    (tmp_path / "measured.json").write_text(json.dumps({"emotion_tuned": {**figure, "author_score": 0.593}}))
    monkeypatch.setattr(recipes, "_MEASURED", tmp_path / "measured.json")
    listed = mien("recipes").out.splitlines()
    (line,) = (line for line in listed if line.startswith("emotion_tuned "))
    assert "65.0 %  59.5 %*" in line
    assert listed[-1] == "* emotion_tuned: our figure is for D-tuned, 12 epochs, where the author has 59.3 %"
    shown = mien("recipes", "show", "emotion_tuned").out.splitlines()[-1]
    assert shown.startswith("mien: 59.5 % validation, best epoch; our figure is for D-tuned, 12 epochs")


def test_a_figure_of_fewer_epochs_is_marked(mien: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = {"accuracy": 0.333, "on": "test", "command": "mien train", "ref": "B", "epochs": 5, "planned": 30}
    (tmp_path / "measured.json").write_text(json.dumps({"emotion_cnn6": {**figure, "author_score": 0.627}}))
    monkeypatch.setattr(recipes, "_MEASURED", tmp_path / "measured.json")
    listed = mien("recipes").out.splitlines()
    assert listed[-1] == "* emotion_cnn6: our figure is for B after 5 of 30 epochs, where the author has 62.7 %"
    assert "33.3 %*" in next(line for line in listed if line.startswith("emotion_cnn6 "))


def test_show_prints_reasons_layers_and_totals(mien: Run) -> None:
    ended = mien("recipes", "show", "emotion_cnn3_elu")
    assert ended.code == 0
    assert "stretch = true                # Keras zooms each axis by its own draw" in ended.out
    assert "583,846 parameters, 582,822 of them trainable. 1,024 are statistics of batch norms." in ended.out
    rows = [line.split() for line in ended.out.splitlines() if line.startswith(("features.", "classifier."))]
    assert rows[0] == ["features.0", "Conv", "3x3,", "32", "32", "x", "48", "x", "48", "320", "320"]
    assert len(rows) == 30


def test_show_says_what_is_frozen(mien: Run) -> None:
    ended = mien("recipes", "show", "gesture_lite0")
    assert "are frozen and" in ended.out
    assert any(line.startswith("features.0.0 ") and line.endswith("frozen") for line in ended.out.splitlines())


def test_show_as_a_record(mien: Run) -> None:
    facts = json.loads(mien("recipes", "show", "gesture_four", "--json").out)
    assert sum(layer["total"] for layer in facts["layers"]) == facts["parameters"]
    assert facts["input"] == [21, 3]
    assert facts["settings"]["fit"]["keep"] == "last"
    assert "momentum" not in facts["settings"]["fit"], "a default is not listed"


def test_show_takes_a_file(mien: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"  # because\ntask = "emotion"\nlabel_set = "emotions"\n[network]\nwidths = [4, 8]\n', "utf-8"
    )
    ended = mien("recipes", "show", path)
    assert ended.code == 0
    assert "# because" in ended.out
    assert "author: no published figure" in ended.out


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")])
def test_the_diagram_is_written(mien: Run, tmp_path: Path, suffix: str, start: bytes) -> None:
    picture = tmp_path / "new folder" / f"net{suffix}"
    ended = mien("recipes", "show", "gesture_four", "--diagram", picture)
    assert ended.code == 0
    assert picture.read_bytes().startswith(start)
    assert ended.sentences == [f"diagram: {picture}"]
    assert [path.name for path in picture.parent.iterdir()] == [picture.name]


def test_a_diagram_of_another_kind_is_wrong_use(mien: Run, tmp_path: Path) -> None:
    ended = mien("recipes", "show", "gesture_four", "--diagram", tmp_path / "net.gif")
    assert ended.code == 2
    assert ".svg, .png, .pdf" in ended.err
    assert ended.out == ""
    assert not list(tmp_path.iterdir())


def test_a_diagram_that_cannot_be_written(mien: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ended = mien("recipes", "show", "gesture_four", "--diagram", tmp_path / "file" / "net.svg")
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert "Cannot write" in sentence


@pytest.mark.parametrize(
    ("name", "near"),
    [("emotion_cnn3_rel", "Did you mean 'emotion_cnn3_relu'"), ("no.toml", "There is no recipe file no.toml")],
)
def test_an_unknown_recipe_is_wrong_use(mien: Run, name: str, near: str) -> None:
    ended = mien("recipes", "show", name)
    assert ended.code == 2
    (sentence,) = ended.sentences
    assert near in sentence


@pytest.mark.parametrize(
    ("words", "module", "extra"),
    [
        (("recipes", "show", "gesture_four", "--diagram", "x.png"), "torch", "train"),
        (("recipes", "show", "gesture_four", "--diagram", "x.png"), "matplotlib", "data"),
    ],
)
def test_a_missing_extra_is_named(
    mien_without: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: tuple[str, ...],
    module: str,
    extra: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = mien_without(module, *words)
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert f"pip install 'mien[{extra}]'" in sentence
    assert ended.out == ""
    assert not list(tmp_path.iterdir())


def test_what_is_said_of_the_quick_recipe_agrees(listed: dict[str, dict[str, object]]) -> None:
    """README, the recipe and the list of recipes name one figure and one time: 63.6 % in 439 s on two cores."""
    facts = listed["emotion_quick"]
    assert round(100 * facts["measured"]["accuracy"], 1) == 63.6  # type: ignore[index]
    assert "in 8 minutes on two cores" in str(facts["source"])
    choose("zh")
    assert "两个核心 8 分钟" in again(str(facts["source"]))
    for name in ("README.md", "README.zh-CN.md"):
        lines = (Path(__file__).parents[2] / name).read_text("utf-8").splitlines()
        (line,) = (line for line in lines if "mien train emotion_quick" in line)
        assert "8 minutes, 63.6 % on PublicTest" in line
