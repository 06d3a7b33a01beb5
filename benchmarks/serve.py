"""What the server costs: requests over loopback from this process, as ratios to direct calls in the same run.

Direct calls and requests alternate, so that other work on the machine hits both. Prints the time of one look with one
client, the throughput and latency of many clients, the pictures per second of a WebSocket, and the growth of the
server's memory; beside the clock the processor time of both sides, which other work on the machine hardly stretches.

    python benchmarks/serve.py [--clients 16] [--seconds 60] [--requests 20000] [--parts one,many,live,batches,memory]
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import psutil
from numpy.typing import NDArray
from websockets.sync.client import connect

from mien.artwork.drawings import demo_frame
from mien.models.artifact import load_artifact, zoo_names
from mien.models.session import Session
from mien.pipeline import Analyzer, Options
from mien.pixels.images import encode_image

PARTS = ("one", "many", "live", "batches", "memory")
ROUNDS = 100
SLICE_S = 5.0
LIVE_S = 10.0
SIDE = 320
"""Of pictures for a network that takes any size."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--parts", type=lambda text: text.split(","), default=[*PARTS], help=", ".join(PARTS))
    asked = parser.parse_args()
    image_rgb = demo_frame(60)
    photo, small = encode_image(image_rgb, ".jpg"), encode_image(np.ascontiguousarray(image_rgb[::4, ::4]), ".jpg")
    with subprocess.Popen(
        [sys.executable, "-m", "mien", "serve", "--port", "0"], stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stderr is not None
            found = re.search(r":(\d+)/", server.stderr.readline())
            assert found is not None
            port = int(found[1])
            with Analyzer(Options(follow=True)) as analyzer:
                direct = lambda: analyzer.look(photo)  # noqa: E731
                median_ms = one_client(port, photo, direct, server.pid) if {"one", "many"} & {*asked.parts} else 0.0
                if "many" in asked.parts:
                    many_clients(port, photo, direct, server.pid, asked.clients, asked.seconds, median_ms)
            if "live" in asked.parts:
                live(port, photo)
            if "batches" in asked.parts:
                batches()
            if "memory" in asked.parts:
                memory(port, small, server.pid, asked.requests)
        finally:
            server.terminate()


def one_client(port: int, photo: bytes, direct: Callable[[], object], process: int) -> float:
    """Print medians and minima; return the median of the requests, in milliseconds.

    The minima are what remains when other work on the machine is left out.
    """
    ask = Client(port, photo)
    for _ in range(5):
        direct()
        ask()
    used = Used(process)
    pairs = [(used.by_us(direct), used.by_server(ask)) for _ in range(ROUNDS)]
    used.told(ROUNDS, ROUNDS)
    direct_ms, served_ms = (statistics.median(column) for column in zip(*pairs, strict=True))
    least_direct_ms, least_served_ms = (min(column) for column in zip(*pairs, strict=True))
    limit_ms, least_limit_ms = 1.25 * direct_ms + 3, 1.25 * least_direct_ms + 3
    print(
        f"one client, minima: direct {least_direct_ms:.1f} ms, POST /v1/look {least_served_ms:.1f} ms: "
        f"{least_served_ms / least_direct_ms:.2f} times "
        f"(at most {least_limit_ms:.1f} ms: {'yes' if least_served_ms <= least_limit_ms else 'NO'})"
    )
    print(
        f"one client, medians: direct {direct_ms:.1f} ms, POST /v1/look {served_ms:.1f} ms: "
        f"{served_ms / direct_ms:.2f} times "
        f"(at most {limit_ms:.1f} ms: {'yes' if served_ms <= limit_ms else 'NO'})"
    )
    return served_ms


def many_clients(
    port: int,
    photo: bytes,
    direct: Callable[[], object],
    process: int,
    clients: int,
    seconds: float,
    median_ms: float,
) -> None:
    """Print throughput and latency; direct and served slices alternate."""
    direct_done, direct_s, served_s = 0, 0.0, 0.0
    latencies_ms: list[float] = []
    failures: list[int] = []
    asking = [Client(port, photo) for _ in range(clients)]
    used = Used(process)
    while served_s < seconds:
        begin_s = time.perf_counter()
        while time.perf_counter() - begin_s < SLICE_S / 2:
            used.by_us(direct)
            direct_done += 1
        direct_s += time.perf_counter() - begin_s
        begin_s = time.perf_counter()
        end_s = begin_s + SLICE_S

        def run(ask: Client, end_s: float = end_s) -> None:
            while time.perf_counter() < end_s:
                latencies_ms.append(timed_ms(ask))
                if ask.status != 200:
                    failures.append(ask.status)

        threads = [threading.Thread(target=run, args=(ask,)) for ask in asking]
        used.by_server(
            lambda threads=threads: [*map(threading.Thread.start, threads), *map(threading.Thread.join, threads)]
        )
        served_s += time.perf_counter() - begin_s
    used.told(direct_done, len(latencies_ms))
    direct_rate, served_rate = direct_done / direct_s, len(latencies_ms) / served_s
    p99_ms = float(np.percentile(latencies_ms, 99))
    limit_ms = 4 * median_ms * clients
    print(
        f"{clients} clients for {served_s:.0f} s: {len(latencies_ms)} requests, {len(failures)} failures; "
        f"{served_rate:.1f} per second against {direct_rate:.1f} direct: {served_rate / direct_rate:.2f} "
        f"(at least 0.90: {'yes' if served_rate >= 0.9 * direct_rate else 'NO'})"
    )
    print(
        f"latency p50 {statistics.median(latencies_ms):.0f} ms, p99 {p99_ms:.0f} ms "
        f"(at most {limit_ms:.0f} ms: {'yes' if p99_ms <= limit_ms else 'NO'})"
    )


def live(port: int, photo: bytes) -> None:
    """Print the pictures per second of one connection with two pictures under way."""
    with connect(f"ws://127.0.0.1:{port}/v1/live", proxy=None) as socket:
        socket.send(photo)
        done, begin_s = 0, time.perf_counter()
        while time.perf_counter() - begin_s < LIVE_S:
            socket.send(photo)
            socket.recv()
            done += 1
        rate = done / (time.perf_counter() - begin_s)
    print(f"WebSocket: {rate:.1f} pictures per second (at least 20: {'yes' if rate >= 20 else 'NO'})")


def batches() -> None:
    """Print what each network gains from a batch of four against four single runs, alternating."""
    for name in ("face", "palm", "hand_landmark", "emotion_residual", "gesture_landmark"):
        network = Session(load_artifact(next(one for one in zoo_names() if one.startswith(name))))
        shape = [SIDE if side is None else side for side in network._item_shape]
        one = np.random.default_rng(0).random((1, *shape), np.float32)
        four = np.repeat(one, 4, axis=0)
        pairs = []
        for _ in range(40):
            singly = timed_ms(partial(_each, network, one))
            pairs.append((singly, timed_ms(partial(network.run, four))))
        single_ms, batch_ms = (min(column) for column in zip(*pairs, strict=True))
        print(f"batch of 4, {name}: {batch_ms:.1f} ms against {single_ms:.1f} ms: {batch_ms / single_ms:.2f}")
        network.close()


def _each(network: Session, one: NDArray[np.float32]) -> None:
    for _ in range(4):
        network.run(one)


def memory(port: int, small: bytes, process: int, requests: int) -> None:
    """Print how much the server grows over many requests of a small picture, after the first tenth."""
    server = psutil.Process(process)
    ask = [Client(port, small) for _ in range(4)]

    def some(count: int) -> None:
        threads = [threading.Thread(target=lambda one=one: [one() for _ in range(count // 4)]) for one in ask]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    some(requests // 10)
    sizes = [server.memory_info().rss / 1e6]
    for _ in range(9):
        some(requests // 10)
        sizes.append(server.memory_info().rss / 1e6)
    growth = sizes[-1] - sizes[0]
    print(
        f"memory: {sizes[0]:.0f} MB after {requests // 10} requests, {sizes[-1]:.0f} MB after {requests}: "
        f"{growth:+.1f} MB (under 30: {'yes' if growth < 30 else 'NO'})"
    )


class Used:
    """Processor seconds of direct calls, and of the server while it is asked.

    Args:
        process: of the server.
    """

    def __init__(self, process: int) -> None:
        self._server, self._us_s, self._server_s = psutil.Process(process), 0.0, 0.0

    def by_us(self, call: Callable[[], object]) -> float:
        """Milliseconds by the clock of a call of this process."""
        began_s = time.process_time()
        took_ms = timed_ms(call)
        self._us_s += time.process_time() - began_s
        return took_ms

    def by_server(self, call: Callable[[], object]) -> float:
        """Milliseconds by the clock of requests."""
        began_s = sum(self._server.cpu_times()[:2])
        took_ms = timed_ms(call)
        self._server_s += sum(self._server.cpu_times()[:2]) - began_s
        return took_ms

    def told(self, direct: int, served: int) -> None:
        """Print them, per picture."""
        ours_ms, theirs_ms = 1000 * self._us_s / direct, 1000 * self._server_s / served
        print(
            f"processor: direct {ours_ms:.1f} ms, server {theirs_ms:.1f} ms per picture: {theirs_ms / ours_ms:.2f} "
            f"times (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)"
        )


class Client:
    """One connection that is kept, and what it sends."""

    def __init__(self, port: int, picture: bytes) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._picture = picture
        self.status = 0

    def __call__(self) -> None:
        try:
            self._connection.request("POST", "/v1/look", self._picture, {"Content-Type": "image/jpeg"})
            response = self._connection.getresponse()
            response.read()
            self.status = response.status
        except (OSError, http.client.HTTPException):  # counts as a failure
            self._connection.close()
            self.status = 0


def timed_ms(call: Callable[[], object]) -> float:
    begin_s = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - begin_s)


if __name__ == "__main__":
    main()
