"""Which model answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mien.scene.checks import check_unit

_HASH_DIGITS = 12
_USED_MODEL = re.compile(r"(\S+) (.+) \(sha256 ([0-9a-f]*)\) threshold ([0-9.e+-]+)(?: on (.+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedModel:
    """Which model answered: tells a record from one made by another model or with another threshold.

    `str()` gives one line for tables, "emotion_residual 4 (sha256 2f15f6f9578e) threshold 0.7835"; `parse` reads it.

    Args:
        name: as in its manifest; your own model folders may have any name, so compare `sha256`.
        version: version of the weights, as in its manifest.
        threshold: the confidence that was used, 0 to 1, below which its answers count as uncertain.
        sha256: the first 12 digits of the hash of its weights.
        detector: name and version of the detector, several joined by " + "; empty for a crop or if unknown.
    """

    name: str
    version: str
    threshold: float
    sha256: str = ""
    detector: str = ""

    def __post_init__(self) -> None:
        check_unit("threshold", self.threshold)
        object.__setattr__(self, "sha256", self.sha256[:_HASH_DIGITS])

    def __str__(self) -> str:
        return f"{self.name} {self.version} (sha256 {self.sha256}) threshold {float(self.threshold)!r}"

    @classmethod
    def parse(cls, text: str) -> UsedModel:
        """Read what `str()` gave, optionally followed by " on DETECTOR". Raises ValueError for any other text."""
        parts = _USED_MODEL.fullmatch(text)
        if parts is None:
            raise ValueError(
                f"a model must be written as NAME VERSION (sha256 DIGITS) threshold NUMBER, got {text[:200]!r}"
            )
        name, version, digits, threshold, detector = parts.groups()
        return cls(name=name, version=version, sha256=digits, threshold=float(threshold), detector=detector or "")

    def to_dict(self) -> dict[str, Any]:
        data = {"name": self.name, "version": self.version, "threshold": self.threshold, "sha256": self.sha256}
        return data | {"detector": self.detector} if self.detector else data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> UsedModel:
        return cls(
            name=str(data["name"]),
            version=str(data["version"]),
            threshold=float(data["threshold"]),
            sha256=str(data.get("sha256", "")),
            detector=str(data.get("detector", "")),
        )
