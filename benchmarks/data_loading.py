"""Seconds and memory to load FER2013, from the CSV and from the packed file that `mien data fer2013` writes.

    python benchmarks/data_loading.py fer2013.csv.xz [--votes fer2013new.csv] [--rounds 3]

Every load is a process of its own; the seconds are those of the load alone, imports left out, and the memory is the
process's peak. Needs a Unix system (it asks for a process's peak memory).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mien.data.dataset import load_packed
from mien.data.readers.fer2013 import load_fer2013
from mien.data.readers.ferplus import load_ferplus


def main() -> None:
    arguments = _arguments()
    if arguments.load:
        _load(arguments.csv, arguments.votes)
        return
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "fer2013.npz"
        _mien("data", "fer2013", arguments.csv, packed, "--layout", "packed", *_votes(arguments, "--ferplus"))
        print(f"{arguments.csv.name}, {os.cpu_count()} cores; packed file of {packed.stat().st_size / 1e6:.0f} MB")
        medians = {}
        for name, words in (("packed", [packed]), ("CSV", [arguments.csv, *_votes(arguments, "--votes")])):
            runs = [_timed(words) for _ in range(arguments.rounds)]
            seconds = [run["seconds"] for run in runs]
            medians[name] = statistics.median(seconds)
            peak = max(run["peak_mb"] for run in runs)
            print(
                f"{name:<7} median {medians[name]:6.2f} s of {arguments.rounds} ({min(seconds):.2f} to "
                f"{max(seconds):.2f}), peak memory {peak:.0f} MB, {runs[0]['samples']:,} images"
            )
        print(f"the packed file loads {medians['CSV'] / medians['packed']:.0f} times as fast")


def _timed(words: list[object]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--load", *map(str, words)], stdout=subprocess.PIPE, text=True, check=True
    )
    return dict(json.loads(done.stdout))


def _load(path: Path, votes: Path | None) -> None:
    """In the process of its own: load, and print how that went."""
    import resource

    started = time.perf_counter()
    dataset = load_packed(path) if path.suffix == ".npz" else load_fer2013(path, votes=votes and load_ferplus(votes))
    seconds = time.perf_counter() - started
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    print(json.dumps({"seconds": seconds, "peak_mb": kilobytes / 1024, "samples": len(dataset)}))


def _mien(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "mien", *map(str, words)], stdout=subprocess.DEVNULL, check=True)


def _votes(arguments: argparse.Namespace, option: str) -> list[object]:
    return [option, arguments.votes] if arguments.votes else []


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--votes", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
