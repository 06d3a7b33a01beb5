"""How live `mien live` is: a 640x480 clip with a face and a hand, played as a live source at 30 frames a second.

Prints frames a second, the delay from capture to output, what speaking and slow inference change, and the time from
the start of the command to its first result.

    python benchmarks/live.py [--seconds 20]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from mien.artwork.drawings import demo_frames
from mien.live.session import LiveSession, Outputs, SessionSummary
from mien.outputs.video import VideoWriter
from mien.pipeline import Analyzer, Options
from mien.scene import Frame, Scene
from mien.sources import FakeSource, PacedSource
from mien.voice.responses import Sentence

FPS = 30.0
SIZE_HW = (480, 640)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    seconds = parser.parse_args().seconds
    images = pictures()
    print(f"640x480 at {FPS:.0f} frames a second, expressions and gestures, {len(os.sched_getaffinity(0))} cores")
    with Analyzer(Options(follow=True)) as analyzer:
        analyzer.step(Frame(images[0]))
        # In turn, and each twice: other work on the machine must not fall on one of them alone.
        silent, speaking = [], []
        for _ in range(2):
            silent.append(session(images, analyzer, seconds / 2))
            speaking.append(session(images, analyzer, seconds / 2, speak=True))
        tell("silent", *silent)
        tell("speaking every 2 s", *speaking)
        quiet, loud = (np.percentile([d for e in runs for d in e.delay_ms], 95) for runs in (silent, speaking))
        print(f"speaking changes the 95th percentile by {100 * (loud / quiet - 1):+.0f} %")
        tell("200 ms slower", session(images, analyzer, max(10.0, seconds / 2), slower_s=0.2))
    print(f"from the start of the command to its first result: {first_result(images):.2f} s (the better of 3)")


def pictures() -> list[np.ndarray]:
    there = [cv2.resize(frame, SIZE_HW[::-1], interpolation=cv2.INTER_AREA) for frame in demo_frames()]
    return [*there, *there[::-1]]


def session(
    images: list[np.ndarray], analyzer: Analyzer, seconds: float, *, speak: bool = False, slower_s: float = 0.0
) -> SessionSummary:
    source = PacedSource(FakeSource(images, fps=FPS), FPS, repeat=True)
    step = Analyzer.step
    if slower_s:

        def slowed(frame: Frame) -> Scene:
            time.sleep(slower_s)
            return step(analyzer, frame)

        analyzer.step = slowed  # type: ignore[method-assign]
    else:
        analyzer.__dict__.pop("step", None)
    if not speak:
        return LiveSession(source, analyzer, Outputs(), seconds=seconds).run()
    os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
    from mien.voice.responses import Responses, prompt_for
    from mien.voice.voice import open_voice

    label, text = Responses.load().texts()[0]
    with open_voice(Responses.load()) as voice:
        last = [0.0]

        class Chatter:
            def write(self, scene: Scene) -> None:
                if scene.time_s - last[0] >= 2:
                    last[0] = scene.time_s
                    voice.say(Sentence(text, label, "emotion", scene.time_s, prompt_for(label, text)))

        return LiveSession(source, analyzer, Outputs(scenes=(Chatter(),)), seconds=seconds).run()


def tell(name: str, *runs: SessionSummary) -> None:
    delays = np.concatenate([np.asarray(run.delay_ms) for run in runs])
    frames, seconds = sum(run.frames for run in runs), sum(run.seconds for run in runs)
    p50, p95 = np.percentile(delays, (50, 95))
    print(
        f"{name:<20}{frames / seconds:5.1f} frames a second, delay p50 {p50:.0f} ms, p95 {p95:.0f} ms, "
        f"greatest {delays.max():.0f} ms, {sum(run.dropped for run in runs)} passed over"
    )


def first_result(images: list[np.ndarray]) -> float:
    """Seconds from the start of the process to its first record on stdout."""
    best = float("inf")
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        with VideoWriter(clip, FPS, SIZE_HW) as video:
            for image in images[:30]:
                video.write(image)
        for _ in range(3):
            started = time.monotonic()
            words = [sys.executable, "-m", "mien", "live", str(clip), "--headless", "--mute", "--jsonl", "-"]
            with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
                if process.stdout is None or not process.stdout.readline():
                    raise RuntimeError("mien live gave no record")
                best = min(best, time.monotonic() - started)
                process.terminate()
    return best


if __name__ == "__main__":
    main()
