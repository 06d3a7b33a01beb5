"""The sound of a video, taken over into its annotated copy in step with the picture.

Packets are copied where the copy's kind of file takes them and browsers play them; otherwise they are decoded and
encoded again, as AAC in MP4 and as Opus in WebM. What is copied is decoded too, to leave out what is damaged: a player
would stop at it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from mien.outputs.container import errors
from mien.resource import Resource
from mien.sources.ffmpeg import open_input
from mien.wording import count

if TYPE_CHECKING:
    from av import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.filter.graph import Graph
    from av.packet import Packet

    SoundPacket = Packet[AudioStream]
    _Read = tuple[SoundPacket, list[AudioFrame]]

_log = logging.getLogger(__name__)

_COPIED = {
    ".mp4": frozenset({"aac", "mp3", "opus", "flac"}),
    ".m4v": frozenset({"aac", "mp3", "opus", "flac"}),
    ".mov": frozenset({"aac", "mp3", "alac", "pcm_s16le"}),
    ".mkv": frozenset({"aac", "mp3", "opus", "flac", "vorbis", "alac", "ac3", "eac3", "pcm_s16le"}),
    ".webm": frozenset({"opus", "vorbis"}),
}
_ENCODERS = {".webm": ("libopus", 48_000, 128_000)}
_FALLBACK = ("aac", 48_000, 192_000)  # encoder, samples and bits per second
_AAC_RATES = frozenset({96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000})
_MOST_FAILURES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundOf:
    """Which sound belongs to a copy.

    Args:
        path: the video that it is in.
        start_s: time of the video at which the copy begins; earlier sound is left out.
        end_s: time of the video at which the copy ends; None for the end of the sound.
    """

    path: Path
    start_s: float = 0.0
    end_s: float | None = None


class SoundTrack(Resource):
    """The sound of a video as packets for a copy of it; nothing when it has none.

    Args:
        sound: which.
        container: the copy, whose header is not written yet; the track is added to it.
        suffix: of the copy, in lower case.

    Attributes:
        problem: what is wrong with the sound, a sentence; empty while nothing is.
    """

    def __init__(self, sound: SoundOf, container: OutputContainer, suffix: str) -> None:
        self.problem = ""
        self._name = str(sound.path)
        self._start_s, self._end_s = sound.start_s, sound.end_s
        self._input: InputContainer | None = None
        self._lost = 0
        self._packets: Iterator[SoundPacket] = iter(())
        self._next: SoundPacket | None = None
        self._errors = errors()
        stream = self._opened(sound.path)
        if stream is None or self._input is None:
            return
        try:
            self._begin(self._input, stream, container, suffix)
        except self._errors as error:
            self._give_up(error)
            self.close()

    def until(self, time_s: float) -> Iterator[SoundPacket]:
        """Packets for the copy that begin before this time of it; each is given once.

        Args:
            time_s: seconds of the copy.
        """
        while self._next is not None and _time_s(self._next) < time_s:
            packet, self._next = self._next, next(self._packets, None)
            yield packet

    def close(self) -> None:
        """Release the file."""
        self._packets, self._next = iter(()), None
        opened, self._input = self._input, None
        if opened is not None:
            opened.close()
        if self._lost and not self.problem:
            self.problem = f"The sound of {self._name} is damaged: {count(self._lost, 'part')} of it left out."

    def _opened(self, path: Path) -> AudioStream | None:
        from av.stream import Discard

        try:
            # An absolute path, for a leading dash or a colon means something else to FFmpeg; and nothing but files.
            self._input = open_input(f"file:{path.absolute()}", options={"protocol_whitelist": "file"})
        except self._errors as error:
            self._give_up(error)
            return None
        streams = self._input.streams
        best = streams.best("audio") if streams.audio else None
        found = next((one for one in streams.audio if best is not None and one.index == best.index), None)
        if found is None:
            return None
        if found.codec_context is None:
            self._give_up("it is stored in a way that is not known here")
            return None
        for stream in streams:
            if stream.index != found.index:
                stream.discard = Discard.all
        return found

    def _begin(self, source: InputContainer, stream: AudioStream, container: OutputContainer, suffix: str) -> None:
        self._zero_s = (source.start_time or 0) / 1e6
        if self._start_s > 0:
            source.seek(round((self._start_s + self._zero_s - 1) * 1e6))
        if stream.codec_context.codec.canonical_name in _COPIED[suffix]:
            target = container.add_stream_from_template(stream)
            self._packets = self._copied(self._read(source, stream), target, _unwrapped(stream))
        else:
            name, rate, bits = _ENCODERS.get(suffix, _FALLBACK)
            if name == "aac" and stream.rate in _AAC_RATES:
                rate = stream.rate
            target = cast("AudioStream", container.add_stream(name, rate=rate, layout=_layout(stream)))
            target.codec_context.bit_rate = bits
            target.codec_context.open()
            self._packets = self._encoded(self._read(source, stream), target)
        self._next = next(self._packets, None)

    def _read(self, source: InputContainer, stream: AudioStream) -> Iterator[_Read]:
        """Packets that can be decoded, and what they hold, from a little before the start to the end of the copy."""
        failures = 0
        while failures < _MOST_FAILURES:
            try:
                for packet in source.demux(stream):
                    if not packet.size:
                        break
                    failures = 0
                    try:
                        frames = stream.codec_context.decode(packet)
                    except self._errors as error:
                        _log.debug("%s: sound at %s: %s", self._name, packet.pts, error)
                        self._lost += 1
                        continue
                    time_s = self._own_s(packet)
                    if self._end_s is not None and time_s is not None and time_s >= self._end_s:
                        return
                    yield packet, frames
                return
            except self._errors as error:
                failures += 1
                _log.debug("%s: %s", self._name, error)
        self._lost += 1

    def _own_s(self, packet: SoundPacket) -> float | None:
        """When a packet sounds, in seconds of the video."""
        stamp = packet.dts if packet.pts is None else packet.pts
        return None if stamp is None or not packet.time_base else float(stamp * packet.time_base) - self._zero_s

    def _copied(
        self, read: Iterator[_Read], target: AudioStream, unwrap: Callable[[SoundPacket], list[SoundPacket]]
    ) -> Iterator[SoundPacket]:
        last: int | None = None
        for packet in (packet for wrapped, _ in read for packet in unwrap(wrapped)):
            time_s, base = self._own_s(packet), packet.time_base
            if time_s is None or not base or (self._start_s > 0 and time_s < self._start_s):
                continue
            shift = round((self._start_s + self._zero_s) / base)
            packet.pts = (packet.pts if packet.pts is not None else packet.dts or 0) - shift
            packet.dts = packet.pts
            if last is not None and packet.dts <= last:
                continue  # a stamp that does not grow ends a file; a sound twice is none
            last = packet.dts
            packet.stream = target
            yield packet

    def _encoded(self, read: Iterator[_Read], target: AudioStream) -> Iterator[SoundPacket]:
        graph: Graph | None = None
        for _, frames in read:
            for frame in frames:
                graph = graph or _resampler(frame, target)
                graph.push(frame)
                yield from self._drained(graph, target)
        if graph is not None:
            graph.push(None)
            yield from self._drained(graph, target)
            yield from self._shifted(target.encode(None))

    def _drained(self, graph: Graph, target: AudioStream) -> Iterator[SoundPacket]:
        import av

        while True:
            try:
                frame = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            yield from self._shifted(target.encode(cast("AudioFrame", frame)))

    def _shifted(self, packets: list[SoundPacket]) -> Iterator[SoundPacket]:
        for packet in packets:
            time_s = self._own_s(packet)
            if time_s is None or (self._start_s > 0 and time_s < self._start_s):
                continue
            shift = round((self._start_s + self._zero_s) / packet.time_base)
            packet.pts, packet.dts = (packet.pts or 0) - shift, (packet.dts or 0) - shift
            yield packet

    def _give_up(self, why: object) -> None:
        reason = str(getattr(why, "strerror", None) or why).partition("\n")[0].lower()
        self.problem = f"The sound of {self._name} could not be taken over: {reason}."


def _time_s(packet: SoundPacket) -> float:
    return float((packet.pts or 0) * packet.time_base)


def _unwrapped(stream: AudioStream) -> Callable[[SoundPacket], list[SoundPacket]]:
    """What takes the headers off that AAC has in streams, and that files do not have."""
    if stream.codec_context.codec.canonical_name != "aac" or stream.codec_context.extradata:
        return lambda packet: [packet]
    from av.bitstream import BitStreamFilterContext

    return BitStreamFilterContext("aac_adtstoasc", stream).filter


def _layout(stream: AudioStream) -> str:
    """Mono stays mono; everything else becomes stereo, which everything plays."""
    return "mono" if stream.codec_context.layout.nb_channels == 1 else "stereo"


def _resampler(frame: AudioFrame, target: AudioStream) -> Graph:
    """What turns decoded sound into what an encoder takes; a hole becomes silence, so that the rest stays in step."""
    import av

    context = target.codec_context
    graph = av.filter.Graph()
    steps = [
        graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format.name,
            layout=frame.layout.name,
            time_base=frame.time_base,
        ),
        graph.add("aresample", "async=1:min_hard_comp=0.04"),
        graph.add(
            "aformat",
            f"sample_fmts={context.format.name}:sample_rates={context.sample_rate}:channel_layouts={context.layout.name}",
        ),
    ]
    if context.frame_size:
        steps.append(graph.add("asetnsamples", f"n={context.frame_size}:p=0"))
    graph.link_nodes(*steps, graph.add("abuffersink")).configure()
    return graph
