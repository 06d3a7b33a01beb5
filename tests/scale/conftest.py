"""Small sources that the tests of this room write, and a batch in few words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from mien.artwork.drawings import demo_frame
from mien.pipeline import Options
from mien.pixels.images import write_image
from mien.scale.folder import BatchFolder
from mien.scale.job import Settings
from mien.sources import Selection

WriteClip = Callable[..., Path]


@pytest.fixture(scope="session")
def write_clip() -> WriteClip:
    """Writes a video with a key frame every `gop` frames; its pictures are grey unless they are given."""

    def write(
        path: Path,
        pictures: int | Sequence[NDArray[np.uint8]] = 60,
        *,
        rate: int = 10,
        gop: int = 7,
        codec: str = "mpeg4",
        options: dict[str, str] | None = None,
    ) -> Path:
        if isinstance(pictures, int):
            pictures = [np.full((48, 64, 3), 40 + 3 * (index % 60), np.uint8) for index in range(pictures)]
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate, options=options or {})
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = "yuv420p"
            stream.codec_context.gop_size = gop
            for index, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, rate)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return write


@pytest.fixture(scope="session")
def drawn_clip(tmp_path_factory: pytest.TempPathFactory, write_clip: WriteClip) -> Path:
    """A drawn face and a drawn hand for 4 seconds, 5 frames per second."""
    pictures = [np.ascontiguousarray(demo_frame(30 + index)[::2, ::2]) for index in range(20)]
    return write_clip(tmp_path_factory.mktemp("drawn") / "drawn.mp4", pictures, rate=5, gop=4)


@pytest.fixture
def walls(tmp_path: Path) -> Callable[[int], Path]:
    """A folder of so many small photos of a wall."""

    def make(count: int) -> Path:
        folder = tmp_path / "walls"
        for index in range(count):
            write_image(folder / f"wall{index}.png", np.full((24, 32, 3), 40 + index, np.uint8))
        return folder

    return make


@pytest.fixture
def settings() -> Callable[..., Settings]:
    """Faces only, one thread; fields of `Selection` and `range_s` may be given."""

    def make(*, range_s: float = 60.0, **selection: Any) -> Settings:
        options = Options(tasks=("emotion",), threads=1)
        return Settings(options=options, selection=Selection(**selection), range_s=range_s)

    return make


def _rows(folder: BatchFolder | Path) -> list[dict[str, Any]]:
    path = folder.path if isinstance(folder, BatchFolder) else folder
    return [row for part in sorted((path / "parts").glob("*.parquet")) for row in pq.read_table(part).to_pylist()]


@pytest.fixture(scope="session")
def rows() -> Callable[[BatchFolder | Path], list[dict[str, Any]]]:
    """All rows of a batch, in order."""
    return _rows
