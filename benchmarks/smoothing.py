"""How often labels change before and after smoothing, how late a true change is told, and how still boxes lie.

    python benchmarks/smoothing.py clip.mp4 photo.jpg ... [--fps 30] [--grid]

A photo becomes a clip of ten seconds as in benchmarks/following.py: its expression never changes, so that every change
is flicker. Then come made-up streams: noisy probabilities whose true label is known, at 10 and 30 frames a second, with
noise that is new in every frame and with noise that lasts about 0.1 s. Last come made-up tracks of a trembling hand.
`--grid` prints the streams for other settings too.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from following import clip_frames
from rich.console import Console
from rich.table import Table

from mien.labels import EMOTIONS
from mien.pipeline import Analyzer, Options
from mien.scene import Face, Hand, Prediction, Scene
from mien.stages.one_euro import OneEuroSmoother, SteadySettings
from mien.stages.smooth import Smoother, SmoothSettings

CONSOLE = Console(width=140)
PHOTO_SECONDS = 10.0
SECONDS = 120
PERIOD_S = 4.0  # between true changes of a made-up stream


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", type=Path)
    parser.add_argument("--fps", type=float, default=30.0, help="of photos made into clips and of thinned-out videos")
    parser.add_argument("--grid", action="store_true", help="try other settings on the made-up streams")
    arguments = parser.parse_args()
    if arguments.sources:
        CONSOLE.print(_clips(arguments.sources, arguments.fps))
    CONSOLE.print(_streams([SmoothSettings()], "Made-up streams, settings by default"))
    if arguments.grid:
        grid = product((0.1, 0.2, 0.3, 0.4), (0.1, 0.2, 0.25, 0.3, 0.4))
        CONSOLE.print(_streams([SmoothSettings(average_s=a, hold_s=h) for a, h in grid], "Other settings"))
    CONSOLE.print(_steadiness())


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, box=None)
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="right" if i else "left")
    return table


def _clips(paths: Sequence[Path], fps: float) -> Table:
    table = _table("Real clips and photos", ("clip", "seconds", "raw changes a minute", "smoothed", "events"))
    totals = np.zeros(4)
    with Analyzer(Options(tasks=("emotion",), threads=2)) as analyzer:
        for path in paths:
            raw = list(analyzer.scenes(clip_frames(path, fps, PHOTO_SECONDS)))
            if sum(len(scene.faces) for scene in raw) < 2:
                continue
            smoothed, events = _smoothed(raw, SmoothSettings())
            seconds = raw[-1].time_s - raw[0].time_s
            row = np.array([seconds, _changes(raw), _changes(smoothed), events])
            totals += row
            table.add_row(path.name, f"{seconds:.1f}", *_a_minute(row), str(events))
    table.add_row("all", f"{totals[0]:.1f}", *_a_minute(totals), f"{totals[3]:.0f}")
    return table


def _a_minute(row: np.ndarray) -> list[str]:
    return [f"{60 * changes / row[0]:.1f}" for changes in row[1:3]]


def _smoothed(scenes: Iterable[Scene], settings: SmoothSettings) -> tuple[list[Scene], int]:
    smoother = Smoother(settings)
    pairs = [smoother.update(scene) for scene in scenes]
    return [scene for scene, _ in pairs], sum(len(events) for _, events in pairs) + len(smoother.finish())


def _shown(face: Face) -> str:
    return "" if face.uncertain else str(face.label)


def _changes(scenes: Sequence[Scene]) -> int:
    """How often what is shown of a track (a label or nothing) differs from the frame before."""
    last: dict[int | None, str] = {}
    changes = 0
    for face in (face for scene in scenes for face in scene.faces):
        changes += last.get(face.track, _shown(face)) != _shown(face)
        last[face.track] = _shown(face)
    return changes


def _streams(every_setting: Sequence[SmoothSettings], title: str) -> Table:
    headings = ("fps", "noise", "average_s", "hold_s", "raw changes a minute", "steady: raw", "smoothed", "fewer",
                "delay p50", "p90", "missed", "delay raw p90")  # fmt: skip
    table = _table(title, headings)
    for settings, fps, lasting_s in product(every_setting, (10.0, 30.0), (0.0, 0.1)):
        steady = _stream(fps, lasting_s, math.inf)
        raw, smoothed = _changes(steady), _changes(_smoothed(steady, settings)[0])
        turning = _stream(fps, lasting_s, PERIOD_S)
        delays = _delays(_smoothed(turning, settings)[0])
        found = [delay for delay in delays if delay is not None]
        table.add_row(
            f"{fps:g}",
            f"{lasting_s:g} s",
            f"{settings.average_s:g}",
            f"{settings.hold_s:g}",
            f"{60 * _changes(turning) / SECONDS:.0f}",
            f"{60 * raw / SECONDS:.0f}",
            f"{60 * smoothed / SECONDS:.1f}",
            f"{raw / max(smoothed, 1):.0f}x",
            *(f"{np.quantile(found, q):.2f}" for q in (0.5, 0.9)),
            f"{len(delays) - len(found)} of {len(delays)}",
            f"{np.quantile([delay for delay in _delays(turning) if delay is not None], 0.9):.2f}",
        )
    return table


def _true_label(time_s: float, period_s: float) -> str:
    return "happy" if period_s < math.inf and int(time_s / period_s) % 2 else "neutral"


def _stream(fps: float, lasting_s: float, period_s: float) -> list[Scene]:
    """Two minutes of a face whose logits tremble around a true label; see the module.

    Args:
        fps: frames a second.
        lasting_s: time constant of the noise.
        period_s: time between changes of the true label.
    """
    random = np.random.default_rng(7)
    stays = math.exp(-1 / (fps * lasting_s)) if lasting_s else 0.0
    noise = np.zeros(len(EMOTIONS))
    scenes = []
    for i in range(round(SECONDS * fps)):
        noise = stays * noise + math.sqrt(1 - stays**2) * random.normal(0, 1.2, len(EMOTIONS))
        logits = noise.copy()
        logits[EMOTIONS.index(_true_label(i / fps, period_s))] += 3.0
        scores = np.exp(logits) / np.exp(logits).sum()
        best = int(scores.argmax())
        prediction = Prediction(
            label=EMOTIONS.labels[best],
            confidence=float(scores[best]),
            uncertain=bool(scores[best] < SmoothSettings().emotion_threshold),
            probabilities=dict(zip(EMOTIONS.labels, scores.tolist(), strict=True)),
        )
        face = Face(box_xyxy=(0, 0, 100, 100), detection_score=0.9, track=1, prediction=prediction)
        scenes.append(Scene(source="", frame=i, time_s=i / fps, size_hw=(480, 640), faces=(face,)))
    return scenes


def _delays(scenes: Sequence[Scene]) -> list[float | None]:
    """Seconds from each true change to the first frame that shows the new label; None when it never comes."""
    delays: list[float | None] = []
    for start in np.arange(PERIOD_S, SECONDS - PERIOD_S / 2, PERIOD_S).tolist():
        within = [s for s in scenes if start - 1e-6 <= s.time_s < start + PERIOD_S]
        wanted = _true_label(start + 1e-6, PERIOD_S)
        delays.append(next((s.time_s - start for s in within if _shown(s.faces[0]) == wanted), None))
    return delays


def _steadiness() -> Table:
    """A hand whose landmarks tremble by 1 % of its box: at rest, and at speeds in boxes a second."""
    table = _table("Steadying", ("fps", "speed", "trembling before", "after", "behind, in s", "behind, in boxes"))
    for fps, speed in product((10.0, 30.0), (0.0, 0.5, 2.0, 5.0)):
        random = np.random.default_rng(3)
        steadier = OneEuroSmoother(SteadySettings())
        before, after, true = [], [], []
        for i in range(round(8 * fps)):
            x = 100 * speed * i / fps
            points = np.column_stack([x + np.linspace(0, 100, 21), np.linspace(0, 100, 21), np.zeros(21)])
            points[:, :2] += random.normal(0, 1, (21, 2))
            landmarks = tuple((x, y, z) for x, y, z in points.tolist())
            hand = Hand(
                box_xyxy=(x, 0, x + 100, 100), detection_score=0.9, track=1, side="left", landmarks_xyz=landmarks
            )
            scene = steadier.update(Scene(source="", frame=i, time_s=i / fps, size_hw=(480, 640), hands=(hand,)))
            before.append(points[5, 0])
            after.append(scene.hands[0].landmarks_xyz[5][0])
            true.append(x + 25)
        settled = slice(round(2 * fps), None)
        errors = [np.array(values[settled]) - np.array(true[settled]) for values in (before, after)]
        behind = -float(errors[1].mean()) / 100
        row = (f"{error.std() / 100:.4f}" for error in errors)
        table.add_row(f"{fps:g}", f"{speed:g}", *row, f"{behind / speed:.3f}" if speed else "", f"{behind:.3f}")
    return table


if __name__ == "__main__":
    main()
