from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from mien.data.dataset import Dataset
from mien.errors import InputError, MienError, ModelError, OutputError, UnknownName
from mien.evaluation.evaluated_model import open_model, prepared
from mien.evaluation.grades import fitted_grades
from mien.evaluation.metrics import negative_log_likelihood, precise_threshold, summary_scores
from mien.evaluation.predictions import answers_of_subject
from mien.labels import EMOTIONS_6
from mien.models.artifact import Artifact, load_artifact, write_artifact
from mien.models.manifest import Score
from mien.models.session import Session
from mien.recipes.recipe import changed_recipe, load_recipe
from mien.stages.classify import ExpressionClassifier, softmax
from mien.train.export.model import ExportOptions, export_model, export_run
from mien.train.export.networks import relative_difference, to_onnx
from mien.train.fit import RunOptions, fit
from mien.train.networks import build_network
from mien.train.runs import trained_network

COMMAND = "mien export run model"
MIRRORED = {"export.mirror": '"logits"'}
TURNS = {"export.mirror": '"turns"'}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_faces: Dataset) -> Path:
    """A run whose votes head and averaged weights must not confuse the export."""
    folder = tmp_path_factory.mktemp("run") / "run"
    recipe = load_recipe(
        "emotion",
        changes={
            "input.size_hw": "[16, 16]",
            "network.widths": "[8, 16]",
            "augment.rotation": "0.0",
            "augment.zoom": "0.0",
            "augment.shift": "0.0",
            "fit.epochs": "6",
            "fit.batch": "16",
            "fit.sizes": "[]",
            "fit.precision": "32-true",
            "fit.ema": "0.5",
        },
    )
    fit(recipe, tiny_faces, RunOptions(out=folder, device="cpu", progress=False, threads=1))
    return folder


@pytest.fixture(scope="module")
def exported(run: Path, tiny_faces: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return export_run(run, folder, tiny_faces, ExportOptions(command=COMMAND))


def test_the_manifest_holds_what_the_run_time_needs(exported: Artifact, run: Path) -> None:
    recipe, _ = trained_network(run)
    manifest = exported.manifest
    assert (manifest.name, manifest.task, manifest.labels) == ("tiny", "emotion", "emotions"), "called as its folder"
    assert manifest.input == recipe.input_spec()
    assert (manifest.threshold, manifest.licence) == (recipe.export.threshold, recipe.export.licence)
    assert manifest.origin == "trained with the recipe emotion"
    assert 0.2 <= manifest.temperature <= 5.0
    assert manifest.temperature != 1.0
    assert load_artifact(exported.folder).manifest == manifest


def test_the_scores_are_those_of_the_validation_split(exported: Artifact, tiny_faces: Dataset) -> None:
    validation = tiny_faces.part("validation")
    manifest = exported.manifest
    with Session(exported) as session:
        logits = session.run(prepared(validation.samples, manifest.input))[0].astype(np.float64)
    probabilities = softmax(logits / manifest.temperature)
    expected = asdict(summary_scores(probabilities, validation.labels))
    certain = probabilities.max(axis=1) >= 0.5
    expected["coverage_at_0.5"] = certain.mean()
    expected["accuracy_at_0.5"] = (probabilities.argmax(axis=1) == validation.labels)[certain].mean()
    expected["acceptable"] = (probabilities.argmax(axis=1) == validation.labels).mean()  # raters agree with the labels
    expected["acceptable_at_0.5"] = expected["accuracy_at_0.5"]
    stated = {score.metric: score.value for score in manifest.scores}
    assert stated == {name: pytest.approx(value, abs=2e-4) for name, value in expected.items()}
    assert {(score.data, score.split, score.command) for score in manifest.scores} == {("bars", "validation", COMMAND)}
    before = negative_log_likelihood(softmax(logits), validation.labels)
    assert expected["nll"] < before


def test_the_card_says_what_counts(exported: Artifact) -> None:
    for words in (
        "# tiny",
        "Out of scope",
        "AI Act",
        "140 training samples. A data set of its user's own",
        "| accuracy |",
    ):
        assert words in exported.card
    told = re.sub(r"`mien export [^`]*`", "", exported.card)
    assert "mien" not in told, "who trained it made it"
    assert "FER2013" not in told
    assert "below 0.5 is uncertain" in exported.card
    assert "ONNX Runtime and torch agree within" in exported.card
    size = exported.model_path.stat().st_size
    assert f"{size / 1e3:.0f} kB as ONNX" in exported.card


def test_the_threshold_can_be_chosen_by_precision(run: Path, tiny_faces: Dataset, tmp_path: Path) -> None:
    options = ExportOptions(command=COMMAND, changes={"export.precision": "0.6"})
    artifact = export_run(run, tmp_path / "model", tiny_faces, options)
    validation, threshold = tiny_faces.part("validation"), artifact.manifest.threshold
    with Session(artifact) as session:
        logits = session.run(prepared(validation.samples, artifact.manifest.input))[0].astype(np.float64)
    p = softmax(logits / artifact.manifest.temperature)
    right = p.argmax(axis=1) == validation.labels
    assert threshold == pytest.approx(precise_threshold(p.max(axis=1), right, precision=0.6), abs=2e-4)
    assert threshold != 0.5
    assert f"below {threshold:g} is uncertain: above it at least 60.0 % of the answers" in artifact.card
    stated = {score.metric: score.value for score in artifact.manifest.scores}
    assert stated[f"coverage_at_{threshold:g}"] == pytest.approx((p.max(axis=1) >= threshold).mean(), abs=2e-2)


def test_a_precision_that_nothing_has_writes_nothing(run: Path, tiny_faces: Dataset, tmp_path: Path) -> None:
    options = ExportOptions(command=COMMAND, changes={"export.precision": "0.999"})
    with pytest.raises(
        ModelError, match=r"99\.9 % of cases on the validation split \(42 samples\); lower export\.precision"
    ):
        export_run(run, tmp_path / "model", tiny_faces, options)
    assert not (tmp_path / "model").exists()


def test_scores_of_another_threshold_are_noticed(
    run: Path, tiny_faces: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    how = {"value": 0.5, "data": "d", "split": "test", "protocol": "p", "command": "c"}
    for threshold, warnings in ((0.5, 0), (0.7, 1)):
        caplog.clear()
        scores = (Score(metric=f"coverage_at_{threshold:g}", **how),)
        export_run(run, tmp_path / "model", tiny_faces, ExportOptions(command=COMMAND, scores=scores))
        said = [record.message for record in caplog.records if record.levelname == "WARNING"]
        assert len(said) == warnings


def test_torch_and_onnx_agree_for_any_batch(exported: Artifact, run: Path, tiny_faces: Dataset) -> None:
    _, network = trained_network(run)
    batch = prepared(tiny_faces.samples, exported.manifest.input)
    with torch.inference_mode():
        by_torch = network(torch.from_numpy(batch)).numpy()
    with Session(exported, threads=1) as session:
        for count in (1, 2, 7, len(batch)):
            assert np.abs(session.run(batch[:count])[0] - by_torch[:count]).max() <= 1e-4


def test_the_folder_runs_as_a_classifier(exported: Artifact, tiny_faces: Dataset) -> None:
    test = tiny_faces.part("test")
    crops = [np.repeat(image[..., None], 3, axis=2) for image in test.samples]
    with ExpressionClassifier(str(exported.folder), threads=1) as classifier:
        predictions = classifier.classify_crops(crops)
        assert classifier.threshold == exported.manifest.threshold
        together = classifier.probabilities(prepared(test.samples, classifier.spec))
    labels = classifier.labels
    assert (
        np.mean([prediction.label == labels.labels[i] for prediction, i in zip(predictions, test.labels, strict=True)])
        > 0.7
    )
    np.testing.assert_allclose(
        [list(prediction.probabilities.values()) for prediction in predictions], together, atol=1e-6
    )


def test_exporting_again_replaces_the_model_and_never_needs_the_test_split(
    run: Path, tiny_faces: Dataset, exported: Artifact
) -> None:
    without_test = tiny_faces.where(tiny_faces.split != "test")
    again = export_run(run, exported.folder, without_test, ExportOptions(command=COMMAND))
    assert again.manifest == exported.manifest
    assert sorted(path.name for path in again.folder.parent.iterdir()) == ["tiny"]


@pytest.mark.parametrize(("kind", "told"), [("bias", "a bias for"), ("vector", "a bias and a scale for")])
def test_a_calibration_by_label_makes_the_answers_likelier_and_is_told(
    run: Path, tiny_faces: Dataset, tmp_path: Path, exported: Artifact, kind: str, told: str
) -> None:
    options = ExportOptions(command=COMMAND, changes={"export.calibration": kind})
    artifact = export_run(run, tmp_path / "model", tiny_faces, options)
    nll = [{score.metric: score.value for score in each.manifest.scores}["nll"] for each in (artifact, exported)]
    assert nll[0] < nll[1]
    validation = tiny_faces.part("validation")
    with Session(artifact) as session:  # what the manifest says is what the file answers
        logits = session.run(prepared(validation.samples, artifact.manifest.input))[0].astype(np.float64)
    answered = softmax(logits / artifact.manifest.temperature)
    assert negative_log_likelihood(answered, validation.labels) == pytest.approx(nll[0], abs=2e-4)
    assert f"together with {told} each label" in artifact.card
    numbers = artifact.card.partition("part of the model file: ")[2].partition(".\n")[0]
    assert "angry " in numbers
    assert numbers.count("(times ") == (7 if kind == "vector" else 0)


def test_a_shift_makes_a_label_rarer_and_is_told(run: Path, tiny_faces: Dataset, tmp_path: Path) -> None:
    probabilities = []
    for name, shift in (("plain", "[]"), ("shifted", '["happy=-2"]')):
        changes = {"export.temperature": "1.0", "export.shift": shift}
        artifact = export_run(run, tmp_path / name, tiny_faces, ExportOptions(command=COMMAND, changes=changes))
        assert ("happy=-2" in artifact.card) == (name == "shifted")
        with Session(artifact) as session:
            probabilities.append(softmax(session.run(prepared(tiny_faces.samples[:20], artifact.manifest.input))[0]))
    plain, shifted = (each[:, 3] / each[:, 0] for each in probabilities)  # of happy to angry
    np.testing.assert_allclose(shifted / plain, np.exp(-2), rtol=1e-3)


def test_a_temperature_in_the_recipe_is_taken(run: Path, tiny_faces: Dataset, tmp_path: Path) -> None:
    settings = json.loads((run / "recipe.json").read_text("utf-8"))
    settings["export"]["temperature"] = 2.5
    copy = tmp_path / "run"
    (copy / "checkpoints").mkdir(parents=True)
    (copy / "recipe.json").write_text(json.dumps(settings), "utf-8")
    (copy / "checkpoints" / "best.ckpt").write_bytes((run / "checkpoints" / "best.ckpt").read_bytes())
    assert export_run(copy, tmp_path / "model", tiny_faces, ExportOptions(command=COMMAND)).manifest.temperature == 2.5


def test_a_disagreement_writes_nothing(
    run: Path, tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slightly_other(network: nn.Module, example: np.ndarray) -> bytes:
        with torch.no_grad():
            head = network.label_head
            head.bias += 1e-3
            onnx = to_onnx(network, example)
            head.bias -= 1e-3
        return onnx

    monkeypatch.setattr("mien.train.export.networks.to_onnx", slightly_other)
    with pytest.raises(
        ModelError, match=r"differ by \d\.\de-0\d of the size of the logits, more than 0\.0001; nothing"
    ):
        export_run(run, tmp_path / "model", tiny_faces, ExportOptions(command=COMMAND))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [1e-6, 1e-3, 1.0, 100.0, 1e6])
def test_the_agreement_is_one_of_size(
    run: Path, tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: float
) -> None:
    """Logits of any size agree when they are those of the same network, and none do when a ten-thousandth is wrong."""
    wrong = 0.0
    recipe, network = trained_network(run)
    monkeypatch.setattr(
        "mien.train.export.networks.trained_network", lambda _: (recipe, nn.Sequential(network, Times(size)))
    )
    monkeypatch.setattr(
        "mien.train.export.networks.to_onnx", lambda net, example: to_onnx(_with(net, 1 + wrong), example)
    )
    export_run(run, tmp_path / "model", tiny_faces, ExportOptions(command=COMMAND))
    wrong = 5e-4
    with pytest.raises(ModelError, match="of the size of the logits"):
        export_run(run, tmp_path / "other", tiny_faces, ExportOptions(command=COMMAND))


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


def _with(network: nn.Module, factor: float) -> nn.Module:
    return nn.Sequential(network, Times(factor)).eval()


def test_relative_difference() -> None:
    logits = np.array([[3.0, -4.0], [0.0, 5.0]])
    assert relative_difference(logits, logits) == 0.0
    assert relative_difference(np.zeros((2, 2)), np.zeros((2, 2))) == 0.0
    off = logits + np.array([[0, 0], [0.1, 0]])
    root = np.sqrt((9 + 16 + 25) / 4)
    for size in (1e-9, 1.0, 1e9):
        assert relative_difference(size * off, size * logits) == pytest.approx(0.1 / root)
    assert relative_difference(np.full((1, 2), 1e-30), np.zeros((1, 2))) > 1
    assert not relative_difference(np.array([[np.nan, 1.0]]), logits[:1]) <= 1


@pytest.mark.parametrize(
    ("folder", "changes", "name"),
    [
        ("my_model", {}, "my_model"),
        ("Mein Gefühl 2", {}, "mein_gefuhl_2"),
        ("喜", {}, "emotion"),
        ("x", {"export.name": '"mine"', "export.licence": '"CC0-1.0"', "export.origin": '"made by Ann"'}, "mine"),
    ],
)
def test_the_model_bears_the_name_its_user_gave(
    run: Path, tiny_faces: Dataset, tmp_path: Path, folder: str, changes: dict[str, str], name: str
) -> None:
    options = ExportOptions(command=COMMAND, changes=changes)
    artifact = export_run(run, tmp_path / folder, tiny_faces, options)
    assert artifact.manifest.name == name
    assert artifact.card.startswith(f"# {name}\n")
    if changes:
        assert (artifact.manifest.licence, artifact.manifest.origin) == ("CC0-1.0", "made by Ann")
        assert "Version 1; made by Ann." in artifact.card


def test_the_card_tells_the_runs_own_data_and_other_data_is_said(
    run: Path, tiny_faces: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fewer = tiny_faces.where(np.arange(len(tiny_faces)) != 3)
    artifact = export_run(run, tmp_path / "model", fewer, ExportOptions(command=COMMAND))
    assert "140 training samples" in artifact.card
    assert "was trained on other samples than those given" in caplog.text


def test_no_run_and_no_place(run: Path, tiny_faces: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no trained run"):
        export_run(tmp_path / "none", tmp_path / "model", tiny_faces, ExportOptions(command=COMMAND))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"")
    with pytest.raises(OutputError, match="not a model folder"):
        export_run(run, tmp_path / "photos", tiny_faces, ExportOptions(command=COMMAND))


@pytest.mark.parametrize("name", ["emotion", "gesture_four"])
def test_the_shipped_networks_export_with_any_batch(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    network = build_network(recipe).eval()
    spec = recipe.input_spec()
    shape = spec.size_hw if spec.kind == "landmarks" else (spec.channels, *spec.size_hw)
    batch = np.random.default_rng(0).normal(size=(5, *shape)).astype(np.float32)
    artifact = write_artifact(tmp_path / name, to_onnx(network, batch[:2]), recipe.manifest(), "# card\n")
    with torch.inference_mode():
        by_torch = network(torch.from_numpy(batch)).numpy()
    with Session(artifact, threads=1) as session:
        for count in (1, 5):
            np.testing.assert_allclose(session.run(batch[:count])[0], by_torch[:count], atol=1e-4)


def test_what_was_found_out_later_goes_into_the_manifest(run: Path, tiny_faces: Dataset, tmp_path: Path) -> None:
    options = ExportOptions(
        command=COMMAND,
        changes={
            "input.margin": "0.1",
            "input.lift": "0.05",
            "input.level": "true",
            "export.threshold": "0.4",
            "export.version": "7",
        },
        scores=(Score(metric="m", value=0.5, data="d", split="test", protocol="p", command="c"),),
    )
    artifact = export_run(run, tmp_path / "model", tiny_faces, options)
    spec = load_artifact(tmp_path / "model").manifest.input
    assert (spec.margin, spec.lift, spec.level, artifact.manifest.threshold) == (0.1, 0.05, True, 0.4)
    assert artifact.manifest.version == "7"
    assert artifact.manifest.scores[0].metric == "m"
    assert "| m | 0.5 |" in artifact.card


def test_what_was_trained_cannot_change_at_export() -> None:
    with pytest.raises(UnknownName, match=r"input\.margin"):
        ExportOptions(command=COMMAND, changes={"input.mean": "[0.1]"})


def test_smaller_weights_are_measured_and_named(run: Path, tiny_faces: Dataset, tmp_path: Path) -> None:
    artifacts = {}
    for weights in ("float32", "float16", "int8"):
        options = ExportOptions(command=COMMAND, changes={"export.weights": weights})
        artifacts[weights] = export_run(run, tmp_path / weights, tiny_faces, options)
    assert artifacts["float16"].model_path.stat().st_size < artifacts["float32"].model_path.stat().st_size
    for weights in ("float16", "int8"):
        assert f"Weights are {weights}: " in artifacts[weights].card
    assert "Weights are" not in artifacts["float32"].card


def test_smaller_weights_that_cost_too_much_are_refused(
    run: Path, tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model_bytes: bytes, _weights: str, *, calibration: NDArray[np.float32]) -> bytes:
        assert calibration.dtype == np.float32
        model = onnx.load_from_string(model_bytes)
        for tensor in model.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT:
                tensor.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(tensor), tensor.name))
        return bytes(model.SerializeToString())

    monkeypatch.setattr("mien.train.export.networks.quantize", broken)
    options = ExportOptions(command=COMMAND, changes={"export.weights": "int8"})
    with pytest.raises(ModelError, match=r"int8 weights cost \d+\.\d points .* set export.weights to float16"):
        export_run(run, tmp_path / "model", tiny_faces, options)
    assert not (tmp_path / "model").exists()


GRADED = {
    "export.precision": "0.5",
    "export.certainty": "0.5",
    "export.acceptable": "0.4",
    "export.mirror": "logits",
    "export.calibration": "bias",
}


@pytest.fixture(scope="module")
def graded(run: Path, tiny_faces: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("graded") / "graded"
    return export_run(run, folder, tiny_faces, ExportOptions(command=COMMAND, changes=GRADED))


def answers(artifact: Artifact, samples: NDArray[np.uint8]) -> NDArray[np.float64]:
    with Session(artifact) as session:
        return session.run(prepared(samples, artifact.manifest.input))[0].astype(np.float64)


def test_a_label_left_out_is_an_output_but_no_answer(run: Path, tiny_faces: Dataset, tmp_path: Path) -> None:
    options = ExportOptions(command=COMMAND, changes=GRADED | {"export.left_out": '["disgust"]'})
    artifact = export_run(run, tmp_path / "model", tiny_faces, options)
    assert artifact.manifest.left_out == ("disgust",)
    assert "- Its output for disgust is left out of the answers.\n" in artifact.card
    validation = tiny_faces.part("validation")
    with ExpressionClassifier(artifact) as classifier:
        assert classifier.labels is EMOTIONS_6
        (answer,) = classifier.classify_crops([np.repeat(tiny_faces.samples[0][..., None], 3, axis=2)])
        in_use = classifier.probabilities(prepared(validation.samples, classifier.spec))
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    true = np.array(validation.label_set.labels)[validation.labels]
    right = np.array(EMOTIONS_6.labels)[in_use.argmax(axis=1)] == true
    stated = {score.metric: score.value for score in artifact.manifest.scores}
    assert stated["accuracy"] == pytest.approx(right.mean(), abs=1e-4)
    sure = in_use.max(axis=1) >= artifact.manifest.threshold
    assert stated[f"coverage_at_{artifact.manifest.threshold:g}"] == pytest.approx(sure.mean(), abs=1e-4)
    assert artifact.manifest.scores[0].protocol.startswith("42 samples, one view, disgust never answered; ")
    with open_model(str(artifact.folder)) as opened:
        evaluated = answers_of_subject(opened, tiny_faces, "validation").probabilities
    assert evaluated is not None
    np.testing.assert_allclose(evaluated[:, artifact.manifest.answer_columns], in_use, rtol=1e-6)
    unknown = ExportOptions(command=COMMAND, changes={"export.left_out": '["joy"]'})
    with pytest.raises(MienError, match="left_out must be labels of the outputs"):
        export_run(run, tmp_path / "other", tiny_faces, unknown)


def test_the_grades_are_those_of_the_answers_without_a_label_left_out(
    run: Path, tiny_faces: Dataset, tmp_path: Path
) -> None:
    changes = GRADED | {"export.mirror": "none", "export.calibration": "temperature", "export.balance": "0.5"}
    left_out = changes | {"export.left_out": '["happy"]'}
    artifact = export_run(run, tmp_path / "model", tiny_faces, ExportOptions(command=COMMAND, changes=left_out))
    validation = tiny_faces.part("validation")
    shared = softmax(answers(artifact, validation.samples) / artifact.manifest.temperature)
    shared[:, validation.label_set.index("happy")] = 0
    shared /= shared.sum(axis=1, keepdims=True)
    recipe = changed_recipe(load_recipe("emotion"), changes).export
    expected = fitted_grades(recipe, shared, validation)
    assert artifact.manifest.threshold == pytest.approx(expected.threshold, abs=2e-4)
    assert artifact.manifest.perhaps == pytest.approx(expected.perhaps, abs=2e-4)
    every = export_run(run, tmp_path / "every", tiny_faces, ExportOptions(command=COMMAND, changes=changes))
    assert every.manifest.temperature == artifact.manifest.temperature
    assert every.manifest.threshold != artifact.manifest.threshold


def test_a_model_that_never_answers_neutral_has_no_gain(run: Path, tiny_faces: Dataset, tmp_path: Path) -> None:
    options = ExportOptions(command=COMMAND, changes=GRADED | {"export.left_out": '["neutral"]'})
    artifact = export_run(run, tmp_path / "model", tiny_faces, options)
    assert artifact.manifest.baseline_gain == 1
    assert "own neutral face" not in artifact.card


@pytest.mark.parametrize(
    ("gain", "told"),
    [
        (4.8, "count 4.8 times: relative to themselves a moment before, 97.0 % of 6 neutral faces"),
        (20.0, "count 20 times, the most there is: relative to themselves a moment before, at least 97.0 % of 6"),
        (1.0, "count once, the least there is: relative to themselves a moment before, at most 97.0 % of 6"),
    ],
)
def test_a_gain_at_its_limit_is_told_as_one(
    gain: float, told: str, run: Path, tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.train.export.model.fitted_gain", lambda *_: gain)
    card = export_run(run, tmp_path / "model", tiny_faces, ExportOptions(command=COMMAND)).card
    assert told in card
    assert ("check that it sees expressions before you use a baseline" in card) is (gain == 20)


def test_a_model_may_average_its_mirrored_view(graded: Artifact, run: Path, tiny_faces: Dataset) -> None:
    samples = tiny_faces.part("validation").samples
    np.testing.assert_allclose(answers(graded, samples), answers(graded, samples[..., ::-1]), atol=1e-4)
    _, network = trained_network(run)
    with torch.inference_mode():
        views = [
            network(torch.from_numpy(prepared(np.ascontiguousarray(each), graded.manifest.input))).double().numpy()
            for each in (samples, samples[..., ::-1])
        ]
    mean = (views[0] + views[1]) / 2
    shift = answers(graded, samples) - mean  # the bias of each label
    np.testing.assert_allclose(shift - shift[:1], 0, atol=1e-3)
    assert "the mean of the logits for the picture and its mirror image" in graded.card


def test_the_grades_are_in_manifest_card_and_scores(graded: Artifact, tiny_faces: Dataset) -> None:
    manifest, validation = graded.manifest, tiny_faces.part("validation")
    assert manifest.perhaps is not None
    assert manifest.perhaps <= manifest.threshold
    p = softmax(answers(graded, validation.samples) / manifest.temperature)
    right = p.argmax(axis=1) == validation.labels
    sure = precise_threshold(p.max(axis=1), right, precision=0.5, certainty=0.5)
    assert manifest.threshold == pytest.approx(sure, abs=2e-4)
    stated = {score.metric: score.value for score in manifest.scores}
    assert stated[f"acceptable_at_{manifest.perhaps:g}"] >= 0.4
    assert f"confidence of {manifest.perhaps:g} or more is given as" in graded.card
    assert 1 <= manifest.baseline_gain <= 20


def test_without_votes_there_is_no_perhaps(run: Path, tiny_faces: Dataset, tmp_path: Path) -> None:
    unvoted = replace(tiny_faces, votes=None)
    artifact = export_run(run, tmp_path / "model", unvoted, ExportOptions(command=COMMAND, changes=GRADED))
    assert artifact.manifest.perhaps is None
    assert "There are no raters' votes, so an answer is either sure or unclear." in artifact.card


def test_a_model_without_its_run_is_calibrated_anew(
    graded: Artifact, run: Path, tiny_faces: Dataset, tmp_path: Path
) -> None:
    recipe, _ = trained_network(run)
    options = ExportOptions(command=COMMAND, changes=GRADED)
    again = export_model(graded, recipe, tmp_path / "graded", tiny_faces, options)
    assert again.manifest.threshold == pytest.approx(graded.manifest.threshold, abs=1e-3)
    samples = tiny_faces.part("validation").samples
    np.testing.assert_allclose(answers(again, samples), answers(graded, samples), atol=1e-3)
    assert f"Its weights are those of {graded.manifest.title}" in again.card
    plain = export_model(
        graded,
        recipe,
        tmp_path / "plain",
        tiny_faces,
        ExportOptions(command=COMMAND, changes={"export.mirror": "logits"}),
    )
    difference = answers(plain, samples) - answers(again, samples)
    np.testing.assert_allclose(difference - difference[:1], 0, atol=1e-3)


def test_a_recipe_of_another_model_is_refused(graded: Artifact, tiny_faces: Dataset, tmp_path: Path) -> None:
    for name, message in (
        ("emotion_ferplus", "has the labels emotions, the recipe"),
        ("emotion", "is not fed as the recipe"),
    ):
        with pytest.raises(ModelError, match=message):
            export_model(graded, load_recipe(name), tmp_path / "m", tiny_faces, ExportOptions(command=COMMAND))
    assert not (tmp_path / "m").exists()


def test_networks_are_exported_together(run: Path, exported: Artifact, tiny_faces: Dataset, tmp_path: Path) -> None:
    """A run, or a model folder, averaged with the run itself: with both views in turn it answers as one with both."""
    mirrored = export_run(run, tmp_path / "a", tiny_faces, ExportOptions(command=COMMAND, changes=MIRRORED))
    for partner, told in (
        (run, "of the recipe emotion"),
        (exported.folder, f"of tiny 1 (SHA-256 {exported.manifest.sha256[:12]})"),
    ):
        options = ExportOptions(command=COMMAND, changes={"export.partners": json.dumps([str(partner)]), **TURNS})
        together = export_run(run, tmp_path / "b", tiny_faces, options)
        assert f"Averaged with the network {told}" in together.card
        assert "mean of the logits of 2 networks, which see the picture and its mirror image in turn" in together.card
        assert together.manifest.temperature == pytest.approx(mirrored.manifest.temperature, abs=1e-3)
        assert together.model_path.stat().st_size > 1.5 * mirrored.model_path.stat().st_size
        samples = prepared(tiny_faces.samples[:9], together.manifest.input)
        answers = []
        for artifact in (mirrored, together):
            with Session(artifact) as session:
                answers.append(session.run(samples)[0])
        np.testing.assert_allclose(*answers, atol=1e-3)
        shutil.rmtree(tmp_path / "b")


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"export.partners": '["recipe:other"]'}, InputError, "needs a run of the recipe other.* train other first"),
        (
            {"export.partners": '["emotion_ferplus"]'},
            ModelError,
            "answers with the labels emotions8, the recipe emotion with",
        ),
        (
            {"export.partners": '["emotion_residual"]'},
            ModelError,
            "emotion_residual is not fed as the recipe emotion says",
        ),
        ({"export.partners": '["nowhere"]'}, UnknownName, "nowhere"),
        ({"export.mirror": '"turns"'}, ModelError, r"name others in export\.partners"),
    ],
)
def test_partners_that_do_not_fit(
    run: Path, tiny_faces: Dataset, tmp_path: Path, changes: dict[str, str], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        export_run(run, tmp_path / "model", tiny_faces, ExportOptions(command=COMMAND, changes=changes))
    assert not (tmp_path / "model").exists()
