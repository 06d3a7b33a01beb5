"""How many faces and hands are found in a folder of photos and clips, a line a file.

python benchmarks/detection.py MEDIA_FOLDER [--tiles]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mien.errors import UnreadableMedia
from mien.pipeline import Analyzer, Options
from mien.sources import expand_sources, open_source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--tiles", action="store_true")
    arguments = parser.parse_args()
    table = Table(box=None)
    for heading in (
        "file",
        "frames",
        "with a face",
        "with a hand",
        "most faces",
        "most hands",
        "face tracks",
        "hand tracks",
    ):
        table.add_column(heading, justify="left" if heading == "file" else "right")
    paths, _ = expand_sources([arguments.folder])
    with Analyzer(Options(tiles=arguments.tiles)) as analyzer:
        for path in paths:
            table.add_row(Path(path).name, *_counted(analyzer, path))
    Console(width=120).print(table)


def _counted(analyzer: Analyzer, path: Path) -> list[str]:
    scenes = []
    try:
        with open_source(path) as source:
            for scene in analyzer.scenes(source):
                scenes.append(
                    (len(scene.faces), len(scene.hands), {f.track for f in scene.faces}, {h.track for h in scene.hands})
                )
    except UnreadableMedia as problem:
        print(problem)
    faces, hands, face_tracks, hand_tracks = zip(*scenes, strict=True) if scenes else ((0,), (0,), (set(),), (set(),))
    figures = (
        len(scenes),
        sum(n > 0 for n in faces),
        sum(n > 0 for n in hands),
        max(faces),
        max(hands),
        len(set().union(*face_tracks)),
        len(set().union(*hand_tracks)),
    )
    return [str(figure) for figure in figures]


if __name__ == "__main__":
    main()
