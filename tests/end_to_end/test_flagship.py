"""tools/train_flagship.py on a few tiny pictures: it plans, trains in its time, goes on, and leaves its results."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mien.data.dataset import Dataset

pytest.importorskip("lightning")

TOOL = Path(__file__).parents[2] / "tools" / "train_flagship.py"
SMALL = (
    "network.widths=[4,8]", "fit.batch=16", "fit.sizes=[]", "input.size_hw=[16,16]", "fit.precision='32-true'",
)  # fmt: skip


def run(data: Path, out: Path, minutes: float) -> subprocess.CompletedProcess[str]:
    changes = [part for change in SMALL for part in ("--set", change)]
    command = [sys.executable, str(TOOL), "--data", str(data), "--minutes", str(minutes), "--out", str(out)]
    return subprocess.run(
        [*command, "--device", "cpu", "--threads", "1", *changes],
        capture_output=True,
        text=True,
        check=True,
        timeout=500,
    )


@pytest.mark.slow
def test_teachers_and_student_in_two_calls(tiny_faces: Dataset, tmp_path: Path) -> None:
    data, out = tmp_path / "faces.npz", tmp_path / "out"
    tiny_faces.save(data)
    first = run(data, out, 1 / 600)  # too short for any run
    assert "call again to go on" in first.stderr
    plan = json.loads((out / "plan.json").read_text("utf-8"))
    names = [planned["name"] for planned in plan["runs"]]
    assert len(names) >= 5
    assert names[-1] == "student"
    assert len({name.partition("_")[0] for name in names[:3]}) == 3
    run(data, out, 30)
    rows = (out / "teachers.md").read_text("utf-8").splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == names
    assert json.loads((out / "plan.json").read_text("utf-8")) == plan
    answers = np.load(out / "results" / "answers.npz")
    assert answers["student_validation"].shape == (tiny_faces.size("validation"), 7)
    recipe = json.loads((out / "results" / "recipe.json").read_text("utf-8"))
    assert recipe["loss"]["teachers"] == [f"recipe:{name}" for name in names[:-1]]
    assert (out / "results" / "last.ckpt").stat().st_size < (
        out / "student" / "checkpoints" / "last.ckpt"
    ).stat().st_size
