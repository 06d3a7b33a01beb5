"""From the published CSV to a model that reads photos, by the commands a user types, on real data."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def mien(*words: object) -> str:
    """Run the command as a process of its own; its stdout."""
    done = subprocess.run(
        [sys.executable, "-m", "mien", *map(str, words)], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.data
def test_two_epochs_on_a_tenth_of_fer2013(data_root: Path, media: Path, tmp_path: Path) -> None:
    faces, run, report, model = (tmp_path / name for name in ("fer2013.npz", "run", "report", "model"))
    source = data_root / "fer2013" / "fer2013.csv.xz"
    told = mien("data", "fer2013", source, faces, "--layout", "packed")
    assert "28,709" in told
    assert "3,589" in told

    small = ("--set", "data.share=0.1", "--set", "fit.epochs=2", "--device", "cpu")
    told = mien("train", "emotion_cnn3_relu", "--data", faces, "--out", run, *small)
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    assert summary["parameters"] == 582_887
    assert summary["train_samples"] == 2907  # a tenth of 81 % of all
    # Answering "happy" always gives 25 %.
    assert summary["best_val_accuracy"] > 0.25, told

    mien("evaluate", run, "--data", faces, "--split", "validation", "--out", report)
    metrics = json.loads((report / "metrics.json").read_text("utf-8"))
    assert summary["best_val_accuracy"] == pytest.approx(metrics["figures"]["accuracy"], abs=5e-4)
    assert (report / "report.html").stat().st_size > 50_000

    mien("export", run, model, "--data", faces)
    frame = json.loads(
        mien("look", media / "single_face.jpg", "--task", "emotion", "--emotion-model", model, "--jsonl", "-")
    )
    assert sum(frame["faces"][0]["scores"].values()) == pytest.approx(1, abs=1e-3)
