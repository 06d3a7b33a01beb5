from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def test_figures_are_kept_with_what_they_depend_on_and_compared(mien: Run, tmp_path: Path) -> None:
    path = tmp_path / "before.json"
    assert mien("bench", "--rounds", 10, "--task", "gesture", "--threads", 1, "--json", path).code == 0
    kept = json.loads(path.read_text())
    assert {"machine", "python", "mien", "versions", "models", "threads", "rounds", "warm_up", "size"} <= kept.keys()
    assert list(kept["stages_ms"]) == ["find hands", "read gestures", "whole frame", "live frame", "batch frame"]
    assert all(0 < figure["median"] <= figure["p95"] for figure in kept["stages_ms"].values())
    whole = kept["stages_ms"]["whole frame"]["median"]
    assert 0.2 < kept["stages_ms"]["batch frame"]["median"] / whole < 20, "one frame, not a clip of thirty"
    for name in ("whole frame", "live frame", "batch frame"):
        kept["stages_ms"][name]["median"] /= 1000
    del kept["stages_ms"]["find hands"]
    path.write_text(json.dumps(kept))
    told = mien("bench", "--rounds", 10, "--task", "gesture", "--threads", 1, "--against", path)
    lines = {line.split("  ")[0].strip(): line.split() for line in told.out.splitlines()}
    for name in ("whole frame", "live frame", "batch frame"):
        assert float(lines[name][-1]) > 100
    assert lines["find hands"][-1] == "-"
    assert mien("bench", "--rounds", 10, "--json", path).code == 2
    path.write_text("{}")
    refused = mien("bench", "--rounds", 10, "--against", path)
    assert refused.code == 1
    assert "mien bench --json" in refused.err
