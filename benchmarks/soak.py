"""Memory of a live session that runs long: a 640x480 clip as a camera at 30 frames a second, everything on.

Expressions and gestures, answers, JSON lines, events, Parquet and a recording; the window is drawn where there is a
display (SDL_VIDEODRIVER=dummy draws it nowhere). Prints the memory once a minute and its growth after the first.
Linux only (reads /proc).

    python benchmarks/soak.py [--minutes 30]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np

from mien.artwork.drawings import demo_frames
from mien.live.session import LiveSession, Outputs, SessionSummary
from mien.outputs.recording import Recording
from mien.pipeline import Analyzer, Options
from mien.records.events import EventWriter
from mien.records.parquet import ParquetWriter
from mien.records.writers import JsonlWriter
from mien.sources import FakeSource, PacedSource
from mien.voice.responder import Responder
from mien.voice.responses import Responses
from mien.voice.voice import open_voice
from mien.window.window import Window

FPS = 30.0
SIZE_HW = (480, 640)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    minutes = parser.parse_args().minutes
    os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
    samples: list[float] = []
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        watcher = threading.Thread(target=watch, args=(samples, stop))
        watcher.start()
        try:
            ended = run(Path(folder), 60 * minutes)
        finally:
            stop.set()
            watcher.join()
    after = samples[min(1, len(samples) - 1) :]
    print(f"{ended.frames} frames in {ended.seconds / 60:.1f} minutes, {ended.dropped} passed over")
    print(f"after one minute {after[0]:.0f} MB, at the end {after[-1]:.0f} MB, greatest {max(after):.0f} MB")
    print(f"growth after the first minute: {max(after) - after[0]:.0f} MB")


def run(folder: Path, seconds: float) -> SessionSummary:
    with ExitStack() as stack:
        recording = Recording(folder / "recording.mp4")
        stack.callback(recording.close)
        responses = Responses.load()
        outputs = Outputs(
            scenes=(
                stack.enter_context(JsonlWriter(folder / "frames.jsonl")),
                stack.enter_context(ParquetWriter(folder / "frames.parquet")),
            ),
            events=(stack.enter_context(EventWriter(folder / "events.jsonl")).write,),
            responder=Responder(responses),
            voice=stack.enter_context(open_voice(responses)),
            display=stack.enter_context(Window(size_hw=SIZE_HW)),
            recording=recording,
        )
        analyzer = stack.enter_context(Analyzer(Options(follow=True)))
        source = PacedSource(FakeSource(pictures(), fps=FPS), FPS, repeat=True)
        return LiveSession(source, analyzer, outputs, seconds=seconds).run()


def pictures() -> list[np.ndarray]:
    there = [cv2.resize(frame, SIZE_HW[::-1], interpolation=cv2.INTER_AREA) for frame in demo_frames()]
    return [*there, *there[::-1]]


def watch(samples: list[float], stop: threading.Event) -> None:
    while True:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        samples.append(int(status.split("VmRSS:")[1].split()[0]) / 1024)
        print(f"{time.strftime('%H:%M:%S')} {samples[-1]:.0f} MB", flush=True)
        if stop.wait(60):
            return


if __name__ == "__main__":
    main()
