"""Names of files and labels as verbs print them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mien.artwork.drawings import demo_frame
from mien.pixels.images import encode_image


def test_what_verbs_print_has_no_escapes(tmp_path: Path, mien: Any) -> None:
    whole, broken = tmp_path / "whole\x1b[31m\n\x07.jpg", tmp_path / "broken\x1b]0;x\x07.jpg"
    whole.write_bytes(encode_image(demo_frame(0), ".jpg"))
    broken.write_bytes(b"none")
    missing = tmp_path / "missing\x1b[2J.jpg"
    for arguments in (
        ["look", "--plain", str(whole), str(broken), str(missing)],
        ["classify", "emotion", str(whole), str(broken)],
        ["batch", str(tmp_path), "--out", str(tmp_path / "out\x9b1m")],
        ["look", str(whole), "--gestures", "palm\x1b[1m"],
        ["evaluate", str(missing), "--data", str(missing)],
    ):
        ended = mien(*arguments)
        printed = ended.out + ended.err
        assert ended.code in (1, 2)
        assert not set(printed) & set("\x1b\x07\x9b"), repr(printed)
        assert r"\x1b" in printed or r"\x9b" in printed
