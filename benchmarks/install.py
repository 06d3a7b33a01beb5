"""What the base install brings: packages, size, and the time and modules of `import mien`.

    python benchmarks/install.py

Makes a new virtual environment in a temporary folder and installs this checkout into it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
TIMED = "import time; t = time.perf_counter(); import mien; print(time.perf_counter() - t)"
HEAVY = (
    "import sys, mien; print([m for m in ('torch', 'cv2', 'onnxruntime', 'numpy', 'PIL', 'pi_heif', 'av') "
    "if m in sys.modules])"
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        constraints = str(CHECKOUT / "constraints.txt")
        subprocess.run([python, "-m", "pip", "install", "-q", "-c", constraints, str(CHECKOUT)], check=True)
        listed = _output(python, "-m", "pip", "list", "--format=freeze").split()
        names = [name for name in listed if name.split("==")[0] not in ("pip", "setuptools")]
        print(f"{len(names)} packages with mien itself: {', '.join(names)}")
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file() and not path.is_symlink())
        print(f"{size / 1e6:.0f} MB in the environment, pip included")
        times = sorted(float(_output(python, "-c", TIMED)) for _ in range(9))
        print(f"import mien: median {times[4]:.3f} s, greatest {times[-1]:.3f} s of 9")
        print(f"heavy modules it loads: {_output(python, '-c', HEAVY).strip()}")


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=tempfile.gettempdir()).stdout


if __name__ == "__main__":
    sys.exit(main())
