"""From the published CSV to a model that reads photos, by the commands a user types, on real data."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mien.cli.main import main

SMALL = {
    "data.share": "0.2", "network.widths": "[8,16,32]", "augment.rotation": "0", "augment.zoom": "0",
    "augment.shift": "0", "augment.erasing": "0", "augment.contrast": "0", "augment.brightness": "0",
    "loss.votes_weight": "0", "fit.epochs": "2", "fit.batch": "16", "fit.rate": "0.03", "fit.sizes": "[]",
    "fit.ema": "0", "fit.precision": "32-true",
}  # fmt: skip
"""With what two epochs on a fifth of the images teach more than the most frequent label."""


@pytest.fixture
def mien(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., str]]:
    """Runs the command in this process, which has imported torch already; its stdout."""

    def run(*words: object) -> str:
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        assert code == 0, said.err
        assert "Traceback" not in said.err
        return said.out

    yield run
    logging.getLogger("mien").setLevel(logging.NOTSET)  # `mien train` says more for the rest of its process


@pytest.mark.slow
@pytest.mark.data
def test_two_epochs_on_a_fifth_of_fer2013(
    mien: Callable[..., str], data_root: Path, media: Path, tmp_path: Path
) -> None:
    faces, run, report, model = (tmp_path / name for name in ("fer2013.npz", "run", "report", "model"))
    source = data_root / "fer2013" / "fer2013.csv.xz"
    told = mien("data", "fer2013", source, faces, "--layout", "packed")
    assert "28,709" in told
    assert "3,589" in told

    small = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
    told = mien("train", "emotion_quick", "--data", faces, "--out", run, *small, "--device", "cpu", "--threads", 1)
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    assert summary["train_samples"] == 5383  # a fifth of those that are neither copies nor contradict each other
    assert summary["validation_samples"] == 3589
    # Answering "happy" always gives 25 %.
    assert summary["best_val_accuracy"] > 0.3, told

    mien("evaluate", run, "--data", faces, "--split", "validation", "--out", report)
    metrics = json.loads((report / "metrics.json").read_text("utf-8"))
    assert summary["best_val_accuracy"] == pytest.approx(metrics["figures"]["accuracy"], abs=5e-4)
    assert (report / "report.html").stat().st_size > 50_000

    mien("export", run, model, "--data", faces)
    frame = json.loads(
        mien("look", media / "single_face.jpg", "--task", "emotion", "--emotion-model", model, "--jsonl", "-")
    )
    assert sum(frame["faces"][0]["scores"].values()) == pytest.approx(1, abs=1e-3)
