"""Reading of videos: time of `mien look` against another checkout, of key frames alone, and memory over a long video.

    python benchmarks/media.py [--before CHECKOUT] [--video FILE] [--rounds 3] [--minutes 30]

Without a video it draws one: 600 frames of 1920x1080, H.264, a key frame every 2 seconds. The other checkout runs with
the same Python and packages, in turn with this one; the least of the rounds counts. Times are of the processor, all
threads together, and of the clock. The long video is the same one again and again, of which `mien look` takes one
frame per second. Linux only (reads /proc).
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import cv2

from mien.artwork.drawings import demo_frames

FRAMES, FPS, SIZE_WH = 600, 30, (1920, 1080)
HERE = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="another checkout of mien")
    parser.add_argument("--video", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=30, help="of the long video; 0 leaves it out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video = arguments.video or drawn(Path(folder) / "clip.mp4")
        if arguments.before:
            for words in (["--task", "emotion"], ["--task", "emotion,gesture"]):
                compare(video, words, arguments.before, arguments.rounds)
        keyframes(video, arguments.rounds)
        if arguments.minutes:
            memory(repeated(video, Path(folder) / "long.mp4", arguments.minutes))


def compare(video: Path, words: list[str], before: Path, rounds: int) -> None:
    """This checkout and the other one, in turn."""
    times = [(look(video, words, before), look(video, words, HERE)) for _ in range(rounds)]
    for what, at in (("processor", 0), ("clock", 1)):
        old, new = (min(pair[which][at] for pair in times) for which in (0, 1))
        print(f"mien look {' '.join(words)}: {what} {new:.2f} s, before {old:.2f} s: {new / old:.3f} times", flush=True)


def keyframes(video: Path, rounds: int) -> None:
    """Decoding alone, which is what differs most, and the whole command."""
    from mien.sources import Selection, open_source

    def read(selection: Selection) -> tuple[float, int]:
        begin_s = time.process_time()
        with open_source(video, selection=selection) as source:
            count = sum(1 for _ in source)
        return time.process_time() - begin_s, count

    every = [read(Selection()) for _ in range(rounds)]
    keys = [read(Selection(keyframes=True)) for _ in range(rounds)]
    (all_s, all_count), (key_s, key_count) = min(every), min(keys)
    print(f"reading {all_count} frames {all_s:.2f} s, {key_count} key frames {key_s:.3f} s: {all_s / key_s:.0f} times")
    (all_s, all_clock_s), (key_s, key_clock_s) = look(video, [], HERE), look(video, ["--keyframes"], HERE)
    (start_s, start_clock_s) = look(video, ["--to", "0.01"], HERE)
    print(
        f"mien look: every frame {all_s:.1f} s of the processor ({all_clock_s:.1f} by the clock), --keyframes "
        f"{key_s:.1f} ({key_clock_s:.1f}), of which its start and one frame {start_s:.1f} ({start_clock_s:.1f}): "
        f"{all_s / key_s:.1f} times ({all_clock_s / key_clock_s:.1f})",
        flush=True,
    )


def look(video: Path, words: list[str], checkout: Path) -> tuple[float, float]:
    """Seconds of the processor and by the clock that `mien look` takes."""
    with tempfile.TemporaryDirectory() as folder:
        before, begin_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        command(video, [*words, "--jsonl", f"{folder}/out.jsonl"], checkout).wait()
        took_s, after = time.monotonic() - begin_s, resource.getrusage(resource.RUSAGE_CHILDREN)
        assert Path(folder, "out.jsonl").stat().st_size
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, took_s


def command(video: Path, words: list[str], checkout: Path) -> subprocess.Popen[bytes]:
    program = "from mien.cli.main import run; run()"
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    return subprocess.Popen([sys.executable, "-c", program, "look", str(video), "--quiet", *words], env=environment)


def memory(video: Path) -> None:
    """Of `mien look` while it decodes every frame."""
    with tempfile.TemporaryDirectory() as folder:
        process = command(video, ["--fps", "1", "--jsonl", f"{folder}/out.jsonl"], HERE)
        status, samples = Path(f"/proc/{process.pid}/status"), []
        begin_s = time.monotonic()
        while process.poll() is None:
            lines = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines() if ":" in line)
            if "VmRSS" in lines:
                samples.append((time.monotonic() - begin_s, int(lines["VmRSS"].split()[0]) / 1024))
            time.sleep(0.5)
        frames = Path(folder, "out.jsonl").read_bytes().count(b"\n")
    half_s = samples[-1][0] / 2
    early, late = (max(mb for at_s, mb in samples if (at_s > half_s) is is_late) for is_late in (False, True))
    print(
        f"exit code {process.returncode}, {frames} frames of a long video in {samples[-1][0]:.0f} s: "
        f"at most {early:.0f} MB in the first half, {late:.0f} MB in the second"
    )


def drawn(path: Path) -> Path:
    pictures = [cv2.resize(picture, SIZE_WH, interpolation=cv2.INTER_AREA) for picture in demo_frames()]
    there_and_back = [*pictures, *pictures[::-1]]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "g": str(2 * FPS)})
        stream.width, stream.height = SIZE_WH
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(there_and_back[index % len(there_and_back)], format="rgb24")
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def repeated(video: Path, path: Path, minutes: float) -> Path:
    """The video again and again, without encoding it anew."""
    end = None
    with av.open(str(path), "w") as out:
        stream, start, end = None, 0, 0
        while not stream or end * stream.time_base < 60 * minutes:
            with av.open(str(video)) as read:
                source = read.streams.video[0]
                stream = stream or out.add_stream_from_template(source)
                for packet in read.demux(source):
                    if packet.size:
                        packet.pts, packet.dts = packet.pts + start, packet.dts + start
                        end = max(end, packet.pts + (packet.duration or 1))
                        packet.stream = stream
                        out.mux(packet)
            start = end
    return path


if __name__ == "__main__":
    main()
