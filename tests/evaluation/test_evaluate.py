from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.errors import DataError, InputError, ModelError, UnknownName
from mien.evaluation.evaluate import EvaluationContext, evaluate
from mien.evaluation.evaluated_model import EvaluatedModel, ModelInfo, kind_of, open_model, prepared, read_curves
from mien.evaluation.metrics import NO_ANSWER
from mien.evaluation.prediction_table import PredictionTable
from mien.evaluation.predictions import answers_of_predictions, answers_of_subject, views_to_ask
from mien.labels import EMOTIONS, EMOTIONS_6, EMOTIONS_8, GESTURES_5, LabelSet
from mien.pixels.preprocess import InputSpec
from mien.recipes.recipe import Recipe
from mien.stages.classify import softmax
from mien.train.fit import RunOptions, fit
from mien.train.runs import open_run

SPEC = InputSpec(size_hw=(16, 16), colour="grey")
ABOUT = ModelInfo(kind="model", name="bars", sha256="0" * 64, bytes=1)


def subject(labels: tuple[str, ...] = EMOTIONS.labels, *, temperature: float | None = 0.5) -> EvaluatedModel:
    """Answers with the label of the brightest bar: right for all samples, as sure as the bar is bright."""

    def forward(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = batch[:, 0].mean(axis=2)[:, :14].reshape(len(batch), 7, 2).mean(axis=2)
        bars = dict(zip(EMOTIONS.labels, rows.T, strict=True)) | {"contempt": rows.T[0] - 0.01}
        return np.stack([8 * bars[label] for label in labels], axis=1)

    return EvaluatedModel(ABOUT, labels=labels, spec=SPEC, threshold=0.5, temperature=temperature, forward=forward)


def predictions(dataset: Dataset, **changes: Any) -> PredictionTable:
    """Right answers to the test split, of probability 0.7."""
    part = dataset.part("test")
    p = np.full((len(part), 7), 0.05)
    p[np.arange(len(part)), part.labels] = 0.7
    values: dict[str, Any] = {"labels": EMOTIONS.labels, "predicted": part.labels, "probabilities": p} | changes
    return PredictionTable(**values)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_faces: Dataset) -> Path:
    """A short run."""
    from mien.recipes.recipe import load_recipe

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    changes = {
        "input.size_hw": "[16, 16]",
        "network.widths": "[8, 16]",
        "augment.rotation": "0.0",
        "augment.mixup": "0.0",
        "fit.epochs": "4",
        "fit.batch": "16",
        "fit.sizes": "[]",
        "fit.precision": "32-true",
        "fit.ema": "0.5",
    }
    fit(load_recipe("emotion", changes=changes), tiny_faces, RunOptions(out=folder, device="cpu", progress=False))
    return folder


def test_a_perfect_subject_gets_perfect_figures(tiny_faces: Dataset) -> None:
    answers = answers_of_subject(subject(), tiny_faces, "test")
    figures = evaluate(ABOUT, answers, tiny_faces, EvaluationContext(split="test")).to_dict()["figures"]
    assert figures["accuracy"] == figures["macro_f1"] == figures["top_2_accuracy"] == 1.0
    assert figures["intervals_95"]["accuracy"] == [1.0, 1.0]
    assert figures["ranking"]["roc_auc"]["macro"] == 1.0
    assert figures["risk_coverage"]["area"] == 0
    assert figures["risk_coverage"]["coverage_at_accuracy_0.9"] == 1.0
    assert figures["most_confused"] == figures["never_predicted"] == []
    assert figures["most_frequent_label"] == pytest.approx(1 / 7)
    assert np.array(figures["confusion"]["counts"]).sum() == 14


def test_everything_is_plain_data(tiny_faces: Dataset) -> None:
    answers = answers_of_subject(subject(), tiny_faces, "test", ten_crop=True)
    made = evaluate(
        ABOUT, answers, replace(tiny_faces, caveats=("Bars are no faces.",)), EvaluationContext(split="test")
    )
    data = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    assert data["notes"][0] == "Bars are no faces."
    assert data["data"]["counts"]["happy"] == 2
    assert data["data"]["fingerprint"] == tiny_faces.fingerprint()
    assert data["versions"]["mien"]


def test_the_models_own_temperature_makes_the_difference_between_before_and_after(tiny_faces: Dataset) -> None:
    answers = answers_of_subject(subject(temperature=0.25), tiny_faces, "test")
    plain = answers_of_subject(subject(temperature=1.0), tiny_faces, "test")
    assert answers.before is not None
    assert plain.probabilities is not None
    np.testing.assert_allclose(answers.before, plain.probabilities)
    figures = evaluate(ABOUT, answers, tiny_faces, EvaluationContext(split="test")).to_dict()["figures"]["calibration"]
    assert figures["temperature"] == 0.25
    assert figures["after"]["nll"] < figures["before"]["nll"]


def test_a_temperature_is_never_fitted_on_the_test_split(tiny_faces: Dataset) -> None:
    answers = answers_of_subject(subject(temperature=None), tiny_faces, "test")
    shuffled = tiny_faces.labels.copy()
    test = tiny_faces.split == "test"
    shuffled[test] = np.roll(shuffled[test], 1)
    again = answers_of_subject(subject(temperature=None), replace(tiny_faces, labels=shuffled), "test")
    assert answers.temperature == again.temperature != 1.0
    assert "validation split (42 samples)" in answers.temperature_from
    no_validation = tiny_faces.where(tiny_faces.split != "validation")
    none = answers_of_subject(subject(temperature=None), no_validation, "test")
    assert none.temperature == 1.0
    assert "no validation split" in none.temperature_from


def test_labels_are_matched_by_name(tiny_faces: Dataset) -> None:
    """Eight labels in another order: contempt is passed over; six labels: disgust is left out and counted as wrong."""
    eight = answers_of_subject(subject(EMOTIONS_8.labels[::-1]), tiny_faces, "test")
    plain = answers_of_subject(subject(), tiny_faces, "test")
    assert plain.probabilities is not None
    assert eight.probabilities is not None
    np.testing.assert_allclose(eight.probabilities, plain.probabilities)
    assert any("contempt" in note for note in eight.notes)
    six = answers_of_subject(subject(EMOTIONS_6.labels), tiny_faces, "test")
    assert six.part.label_set == EMOTIONS_6
    figures = evaluate(ABOUT, six, tiny_faces, EvaluationContext(split="test")).to_dict()["figures"]
    assert (figures["samples"], figures["accuracy"]) == (12, 1.0)
    assert figures["accuracy_with_left_out"] == pytest.approx(12 / 14)
    assert any("disgust" in note and "2 of 14" in note for note in six.notes)


def test_a_label_left_out_is_never_answered_and_its_samples_count_as_wrong(tiny_faces: Dataset) -> None:
    """As in use: the others share its probability."""
    asked = subject()
    asked.left_out = ("fear",)
    answers, plain = (answers_of_subject(each, tiny_faces, "test") for each in (asked, subject()))
    fear, others = EMOTIONS.index("fear"), [i for i, label in enumerate(EMOTIONS.labels) if label != "fear"]
    assert answers.part.label_set == EMOTIONS
    for found, every in (
        (answers.probabilities, plain.probabilities),
        (answers.before, plain.before),
        (answers.views["flip"], None),
    ):
        assert found is not None
        assert not found[:, fear].any()
        if every is not None:
            np.testing.assert_allclose(found[:, others], every[:, others] / every[:, others].sum(axis=1, keepdims=True))
    assert fear not in answers.predicted
    found = evaluate(ABOUT, answers, tiny_faces, EvaluationContext(split="test")).to_dict()
    figures = found["figures"]
    assert (figures["samples"], figures["accuracy"]) == (14, pytest.approx(12 / 14))
    assert figures["never_predicted"] == ["fear"]
    assert found["notes"][-1] == (
        "The model leaves fear out of its answers, as its manifest says: 2 samples of such a label count as wrong."
    )
    six = answers_of_subject(asked, tiny_faces.without(["fear"]), "test")
    assert six.right.all()
    assert not any("no label" in note for note in six.notes), "it is not passed over: it is no answer"
    asked.left_out = EMOTIONS.labels[1:]
    with pytest.raises(DataError, match=r"answers are angry, labels of .* at least two in common"):
        answers_of_subject(asked, tiny_faces, "test")


def test_labels_that_have_nothing_in_common(tiny_faces: Dataset) -> None:
    asked = EvaluatedModel(
        ABOUT, labels=GESTURES_5.labels, spec=SPEC, threshold=0.5, temperature=1.0,
        forward=lambda batch: np.zeros((len(batch), 5), np.float32),
    )  # fmt: skip
    with pytest.raises(DataError, match="at least two in common"):
        answers_of_subject(asked, tiny_faces, "test")


def test_a_label_without_samples_gets_no_curve_and_no_warning(tiny_faces: Dataset) -> None:
    fewer = tiny_faces.where(tiny_faces.labels != EMOTIONS.index("disgust"))
    answers = answers_of_subject(subject(), fewer, "test")
    figures = evaluate(ABOUT, answers, fewer, EvaluationContext(split="test")).to_dict()["figures"]
    assert "disgust" not in figures["ranking"]["roc_auc"]
    assert figures["report"]["disgust"]["support"] == 0
    assert figures["never_predicted"] == [], "nothing shows it either"


def test_copies_are_counted_and_left_out(tiny_faces: Dataset) -> None:
    samples = tiny_faces.samples.copy()
    test = np.flatnonzero(tiny_faces.split == "test")
    samples[test[0]] = samples[0]  # a training sample
    samples[test[2]] = samples[test[1]]  # an earlier test sample
    copied = replace(tiny_faces, samples=samples)
    answers = answers_of_subject(subject(), copied, "test")
    found = evaluate(ABOUT, answers, copied, EvaluationContext(split="test")).to_dict()["figures"]["without_copies"]
    assert (found["equal_to_training"], found["repeated"], found["samples"]) == (1, 1, 12)
    assert found["accuracy"] == 1.0, "both copies carry another label now, so they were the only errors"
    assert (answers.right.sum(), len(answers.right)) == (12 + int(answers.right[[0, 2]].sum()), 14)


def test_raters_votes_are_another_truth(tiny_faces: Dataset) -> None:
    assert tiny_faces.votes is not None
    votes = tiny_faces.votes.copy()
    test = np.flatnonzero(tiny_faces.split == "test")
    votes[test[0]] = np.roll(votes[test[0]], 1)
    votes[test[1]] = 0
    voted = replace(tiny_faces, votes=votes)
    answers = answers_of_subject(subject(), voted, "test")
    found = evaluate(ABOUT, answers, voted, EvaluationContext(split="test")).to_dict()["figures"]["ferplus"]
    assert found["samples"] == 13
    assert found["accuracy"] == found["labels_agree_with_votes"] == pytest.approx(12 / 13)


def test_views_are_averages_and_a_mirror_may_be_refused(tiny_faces: Dataset) -> None:
    answers = answers_of_subject(subject(), tiny_faces, "test", ten_crop=True)
    assert answers.probabilities is not None
    assert list(answers.views) == ["flip", "ten crops"]
    mirrored = answers_of_subject(subject(), replace(tiny_faces, samples=tiny_faces.samples[:, :, ::-1]), "test")
    assert mirrored.probabilities is not None
    expected = (answers.probabilities + mirrored.probabilities) / 2
    np.testing.assert_allclose(answers.views["flip"], expected)
    np.testing.assert_allclose(answers.views["ten crops"].sum(axis=1), 1)
    handed = replace(tiny_faces, label_set=LabelSet("handed", EMOTIONS.labels, mirror_safe=False))
    refused = answers_of_subject(subject(), handed, "test", ten_crop=True)
    assert list(refused.views) == ["five crops"]
    assert any("mirror" in note for note in refused.notes)


def test_a_crop_of_a_plain_image_is_the_image(tiny_faces: Dataset) -> None:
    flat = replace(tiny_faces, samples=np.full_like(tiny_faces.samples, 90))
    answers = answers_of_subject(subject(), flat, "test", ten_crop=True)
    assert answers.probabilities is not None
    np.testing.assert_allclose(answers.views["ten crops"], answers.probabilities, atol=1e-6)


def test_progress_counts_every_view(tiny_faces: Dataset) -> None:
    steps: list[int] = []
    asked = subject()
    answers_of_subject(asked, tiny_faces, "test", ten_crop=True, on_step=steps.append)
    assert sum(steps) == 14 * views_to_ask(asked, tiny_faces.part("test"), ten_crop=True) == 14 * 12


def test_answers_from_a_file_count_the_same(tiny_faces: Dataset) -> None:
    answers = answers_of_predictions(predictions(tiny_faces), tiny_faces, "test")
    figures = evaluate(ABOUT, answers, tiny_faces, EvaluationContext(split="test")).to_dict()["figures"]
    assert figures["accuracy"] == 1.0
    assert figures["calibration"] == {
        "as_given": {
            "ece": pytest.approx(0.3),
            "nll": pytest.approx(-np.log(0.7)),
            "brier": pytest.approx(0.3**2 + 6 * 0.05**2),
        }
    }


def test_labels_alone_leave_out_what_needs_probabilities(tiny_faces: Dataset) -> None:
    answers = answers_of_predictions(predictions(tiny_faces, probabilities=None), tiny_faces, "test")
    figures = evaluate(ABOUT, answers, tiny_faces, EvaluationContext(split="test")).to_dict()["figures"]
    assert figures["accuracy"] == 1.0
    assert not {"top_2_accuracy", "calibration", "ranking", "risk_coverage", "views"} & set(figures)


def test_missing_answers_are_wrong_and_said(tiny_faces: Dataset) -> None:
    predicted = tiny_faces.part("test").labels.copy()
    predicted[:7] = NO_ANSWER
    answers = answers_of_predictions(predictions(tiny_faces, predicted=predicted), tiny_faces, "test")
    figures = evaluate(ABOUT, answers, tiny_faces, EvaluationContext(split="test")).to_dict()["figures"]
    assert figures["accuracy"] == 0.5
    assert figures["risk_coverage"]["coverage_at_accuracy_0.9"] == 0.5
    assert any("7 of 14 samples got no answer" in note for note in answers.notes)


def test_eight_labels_from_a_file(tiny_faces: Dataset) -> None:
    """Where all probability lies on a label the data does not have, there is no answer; else the next best counts."""
    p = np.full((14, 8), 0.0)
    p[:, 7] = 1.0
    p[0] = [0.3, 0.1, 0, 0, 0, 0, 0, 0.6]
    made = predictions(tiny_faces, labels=EMOTIONS_8.labels, predicted=np.full(14, 7), probabilities=p)
    answers = answers_of_predictions(made, tiny_faces, "test")
    assert answers.predicted.tolist() == [0] + [NO_ANSWER] * 13
    assert answers.probabilities is not None
    assert answers.probabilities[0, 0] == pytest.approx(0.75)


def test_one_answer_for_all_is_what_d_base_does(tiny_faces: Dataset) -> None:
    happy = np.full(14, EMOTIONS.index("happy"))
    answers = answers_of_predictions(predictions(tiny_faces, predicted=happy, probabilities=None), tiny_faces, "test")
    figures = evaluate(ABOUT, answers, tiny_faces, EvaluationContext(split="test")).to_dict()["figures"]
    assert figures["accuracy"] == figures["most_frequent_label"]
    assert len(figures["never_predicted"]) == 6


def test_groups_are_counted_apart(tiny_faces: Dataset) -> None:
    groups = np.array(["anna" if i % 2 else "ben" for i in range(len(tiny_faces))])
    grouped = replace(tiny_faces, groups=groups)
    found = evaluate(
        ABOUT, answers_of_subject(subject(), grouped, "test"), grouped, EvaluationContext(split="test")
    ).to_dict()["figures"]["groups"]
    assert found == {name: {"samples": 7, "accuracy": 1.0} for name in ("anna", "ben")}


@pytest.mark.parametrize("split", ["test", "validation"])
def test_an_empty_split_is_named(tiny_faces: Dataset, split: str) -> None:
    with pytest.raises(DataError, match=f"no samples in its split '{split}'"):
        answers_of_subject(subject(), tiny_faces.where(tiny_faces.split == "train"), split)


def test_a_run_is_evaluated_with_its_curves(run: Path, tiny_faces: Dataset) -> None:
    with open_run(run, device="cpu") as asked:
        answers = answers_of_subject(asked, tiny_faces, "validation")
    made = evaluate(asked.about, answers, tiny_faces, EvaluationContext(split="validation"))
    curves = asked.about.curves
    assert [entry["epoch"] for entry in curves] == [1, 2, 3, 4]
    assert {"train_loss", "val_loss", "val_accuracy"} <= set(curves[0])
    best = max(entry["val_accuracy"] for entry in curves)
    assert made.measures.accuracy == pytest.approx(best, abs=1e-6), "the checkpoint is the best one"
    assert asked.about.parameters == asked.about.summary.parameters
    assert any("monitored on this split" in note for note in made.notes)
    assert not any("not the data of the run" in note for note in made.notes)


def test_other_data_than_the_runs_is_said(run: Path, tiny_faces: Dataset) -> None:
    """Signers the run never saw come as a data set of their own, of which everything is scored."""
    other = replace(tiny_faces, labels=np.roll(tiny_faces.labels, 1))
    with open_run(run, device="cpu") as asked:
        notes = {
            name: evaluate(
                asked.about, answers_of_subject(asked, dataset, "all"), dataset, EvaluationContext(split="all")
            ).notes
            for name, dataset in (("same", tiny_faces), ("other", other))
        }
    assert any("Training samples are among those scored" in note for note in notes["same"])
    assert not any("Training samples" in note for note in notes["other"])
    assert any("not the data of the run" in note for note in notes["other"])


def test_a_batch_is_as_good_as_one_by_one(run: Path, tiny_faces: Dataset) -> None:
    samples = tiny_faces.samples
    with open_run(run, device="cpu") as asked:
        together = asked.logits(np.concatenate([samples, samples]))
        alone = asked.logits(samples[5:6])
    assert len(together) == 2 * len(samples)
    np.testing.assert_allclose(together[5], alone[0], atol=1e-5)
    np.testing.assert_allclose(together[: len(samples)], together[len(samples) :], atol=1e-5)


def test_a_run_without_a_finished_epoch(run: Path, tmp_path: Path, tiny_recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(InputError, match="no trained run"):
        open_run(tmp_path)
    (tmp_path / "recipe.json").write_text(json.dumps(tiny_recipe().to_dict()), "utf-8")
    with pytest.raises(InputError, match="no finished epoch"):
        open_run(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    (copy / "summary.json").unlink()
    with open_run(copy, device="cpu") as asked:
        assert asked.about.summary is None


def test_a_damaged_log_is_named(tmp_path: Path) -> None:
    assert read_curves(tmp_path) == []
    (tmp_path / "curves").mkdir()
    (tmp_path / "curves" / "metrics.csv").write_text("no,log\n1,2\n", "utf-8")
    with pytest.raises(InputError, match="is damaged"):
        read_curves(tmp_path)


def test_what_can_be_evaluated(run: Path, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("predicted\n", "utf-8")
    assert kind_of(str(run)) == "run"
    assert kind_of("emotion_residual") == "model"
    assert kind_of(str(tmp_path / "p.csv")) == "predictions"
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(InputError, match="is neither a run folder"):
            kind_of(str(path))
    with pytest.raises(UnknownName, match="Did you mean 'emotion_residual'"):
        kind_of("emotion_residul")
    with pytest.raises(ModelError, match="does not name expressions"):
        open_model("face_centerface")


def test_a_model_of_the_package_answers_as_at_run_time() -> None:
    from mien.stages.classify import ExpressionClassifier

    crops = np.random.default_rng(0).integers(0, 256, (3, 60, 50, 3), np.uint8)
    with open_model("emotion_residual") as asked, ExpressionClassifier(threads=1) as classifier:
        predictions = classifier.classify_crops(list(crops))
        assert asked.temperature is not None
        p = softmax(asked.logits(crops) / asked.temperature)
        assert asked.threshold == classifier.threshold
    np.testing.assert_allclose(p, [list(prediction.probabilities.values()) for prediction in predictions], atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "dtype", "spec", "words"),
    [
        ((2, 48, 48), np.float32, SPEC, "images must be uint8"),
        ((2, 48, 48), np.uint8, InputSpec(size_hw=(21, 3), kind="landmarks", colour="grey"), "landmarks must be"),
    ],
)
def test_samples_of_another_kind_are_refused(shape: tuple[int, ...], dtype: type, spec: InputSpec, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        prepared(np.zeros(shape, dtype), spec)


@pytest.mark.parametrize("shape", [(2, 16, 16), (2, 16, 16, 3), (2, 40, 30), (2, 40, 30, 3)])
@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_images_are_brought_to_size_and_colour(shape: tuple[int, ...], colour: str) -> None:
    spec = replace(SPEC, colour=colour)  # type: ignore[arg-type]
    batch = prepared(np.full(shape, 51, np.uint8), spec)
    assert batch.shape == (2, spec.channels, 16, 16)
    np.testing.assert_allclose(batch, 0.2, atol=1e-6)
