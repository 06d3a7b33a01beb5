"""Reading of photos: time against OpenCV, memory of the largest, and the start of `mien look` against another checkout.

    python benchmarks/photos.py [--before CHECKOUT] [--photo FILE] [--rounds 9] [--starts 5]

Without a photo it draws one: 4000 x 3000 pixels with the grain of a camera, as JPEG, as PNG, and as JPEG with the
profile of another colour space. The readers start from the bytes of the file and end with RGB, in turn, in one process,
after a round that does not count; their times are of the processor, all threads together. The checkouts run in turn
with the same Python and packages. The least and the median of the rounds are printed.
Linux only (reads /proc).
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from mien.artwork.drawings import draw_face, draw_people
from mien.pixels.images import decode_image, write_image
from mien.pixels.pillow import quiet_pillow

HERE = Path(__file__).resolve().parents[1]
SIZE_WH = (4000, 3000)
LARGEST_WH = (16_320, 12_240)
MEMORY = (
    "import sys\n"
    "from mien.pixels.images import read_image\n"
    "print(read_image(sys.argv[1]).shape)\n"
    "print(next(int(line.split()[1]) // 1024 for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="another checkout of mien")
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--starts", type=int, default=5)
    arguments = parser.parse_args()
    for name, data in files(arguments.photo).items():
        against_opencv(name, data, arguments.rounds)
    with tempfile.TemporaryDirectory() as folder:
        largest(Path(folder) / "largest.jpg")
        if arguments.before:
            starts(Path(folder) / "photo.jpg", arguments.before, arguments.starts)


def files(photo: Path | None) -> dict[str, bytes]:
    """What is decoded, by what it is."""
    if photo is not None:
        return {photo.name: photo.read_bytes()}
    grain = np.random.default_rng(0).normal(0, 9, (SIZE_WH[1], SIZE_WH[0], 3)).astype(np.float32)
    drawn = cv2.resize(draw_people(), SIZE_WH, interpolation=cv2.INTER_CUBIC)
    picture = Image.fromarray((drawn + cv2.GaussianBlur(grain, (0, 0), 0.7)).clip(0, 255).astype(np.uint8))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()  # with red and blue exchanged
    other = profile.replace(b"rXYZ", b"once").replace(b"bXYZ", b"rXYZ").replace(b"once", b"bXYZ")
    return {
        "JPEG": encoded(picture, "JPEG", quality=93),
        "PNG": encoded(picture, "PNG", compress_level=4),
        "JPEG with a profile to convert": encoded(picture, "JPEG", quality=93, icc_profile=other),
    }


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def against_opencv(name: str, data: bytes, rounds: int) -> None:
    """OpenCV in two ways: BGR converted to RGB, and RGB at once, which is faster."""

    def bgr() -> NDArray[np.uint8]:
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), flags), cv2.COLOR_BGR2RGB)  # type: ignore[arg-type, return-value]

    def rgb() -> NDArray[np.uint8]:
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)  # type: ignore[return-value]

    def ours() -> NDArray[np.uint8]:
        return decode_image(data, name)

    ways: dict[str, Callable[[], NDArray[np.uint8]]] = {"mien": ours, "OpenCV, BGR to RGB": bgr, "OpenCV, RGB": rgb}
    equal = np.array_equal(ours(), rgb())
    times: dict[str, list[float]] = {way: [] for way in ways}
    for decode in ways.values():
        decode()
    for _ in range(rounds):
        for way, decode in ways.items():
            begin_s = time.process_time()
            decode()
            times[way].append(time.process_time() - begin_s)
    print(f"{name}, {len(data) / 1e6:.1f} MB, {'same pixels' if equal else 'other pixels'}:")
    for way, taken in times.items():
        least, median = min(taken), statistics.median(taken)
        times_it = min(times["mien"]) / least, statistics.median(times["mien"]) / median
        print(f"  {way}: {least:.3f} and {median:.3f} s; mien takes {times_it[0]:.2f} and {times_it[1]:.2f} times that")


def largest(path: Path) -> None:
    """The most memory that a process takes which reads one of 200 megapixels."""
    with quiet_pillow(LARGEST_WH[0] * LARGEST_WH[1]):
        Image.fromarray(draw_people()).resize(LARGEST_WH).save(path, quality=85)
    begin_s = time.monotonic()
    done = subprocess.run([sys.executable, "-c", MEMORY, str(path)], check=True, capture_output=True, text=True)
    shape, peak_mb = done.stdout.splitlines()
    print(f"{shape} in {time.monotonic() - begin_s:.1f} s with the start of Python, at most {peak_mb} MB")


def starts(photo: Path, before: Path, count: int) -> None:
    """From the start of the process to its end, of one small photo; first once each, to fill the caches."""
    write_image(photo, draw_face("happy"))
    look(photo, before)
    look(photo, HERE)
    times = [(look(photo, before), look(photo, HERE)) for _ in range(count)]
    for what, at in (("clock", 0), ("processor", 1)):
        old, new = ([pair[which][at] for pair in times] for which in (0, 1))
        print(
            f"mien look photo.jpg, {what}: least {min(new):.2f} s, before {min(old):.2f} s; "
            f"median {statistics.median(new):.2f} s, before {statistics.median(old):.2f} s"
        )


def look(photo: Path, checkout: Path) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    program = "from mien.cli.main import run; run()"
    before, begin_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        [sys.executable, "-c", program, "look", str(photo), "--jsonl", "-"],
        env=environment,
        check=True,
        capture_output=True,
    )
    took_s, after = time.monotonic() - begin_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
