from __future__ import annotations

import pickle
import time
from pathlib import Path

import pytest

from mien.addresses import LONGEST, Address, named, shown
from mien.errors import InputError

SECRETS = ("geheim", "ge heim", "heim", "admin")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("rtsp://admin:geheim@10.0.0.1:554/a", "rtsp://10.0.0.1:554/a"),
        ("RTSP://admin:geheim@cam/a", "rtsp://cam/a"),
        ("http://geheim@cam.local/", "http://cam.local/"),
        ("rtsp://admin:ge@heim@cam/a", "rtsp://cam/a"),
        ("rtsp://admin:ge[heim]@cam/a", "rtsp://cam/a"),
        ("rtsp://admin:ge heim@cam/a ", "rtsp://cam/a"),
        ("rtsp://admin:ge%23heim%40@cam/a", "rtsp://cam/a"),
        ("rtsps://admin:geheim@[fe80::1%25eth0]:322/a", "rtsps://[fe80::1%25eth0]:322/a"),
        ("rtmp://admin:geheim@cam/app", "rtmp://cam/app"),
        ("udp://@239.0.0.1:1234", "udp://239.0.0.1:1234"),
        ("srt://cam:9000?streamid=admin&passphrase=geheim", "srt://cam:9000?streamid=***&passphrase=***"),
        ("http://cam/v?user=admin&password=geheim&channel=1", "http://cam/v?user=***&password=***&channel=1"),
        ("http://cam/v?loginuse=admin;loginpas=geheim;res=640x480", "http://cam/v?loginuse=***;loginpas=***;res=640x480"),
        ("http://cam/v?p%61ssword=geheim", "http://cam/v?password=***"),
        ("http://cam/v?geheim", "http://cam/v?***"),
        ("http://cam/v?channel=geheim-and-much-too-long", "http://cam/v?channel=***"),
        ("http://cam/v#access_token=geheim", "http://cam/v"),
        ("http://cam/v%3Ftoken%3Dgeheim", "http://cam/v?token=***"),
        ("http://cam/user=admin&password=geheim&stream=0.sdp?", "http://cam/user=***&password=***&stream=0.sdp"),
        ("rtsp://10.0.0.1/user=admin_password=geheim_channel=1_stream=0.sdp",
         "rtsp://10.0.0.1/user=***_password=***_channel=1_stream=0.sdp"),
        ("http://10.0.0.1/proxy/rtsp://admin:geheim@cam/x", "http://10.0.0.1/***@cam/x"),
        ("rtsp://admin:geheim/a", "rtsp://***/a"),
        ("http://admin:geheim@[::1", "http://***"),
        ("https://cdn.example.com/live/@channel/index.m3u8", "https://cdn.example.com/live/@channel/index.m3u8"),
        ("http://192.168.0.5:8080/cam@2/video", "http://192.168.0.5:8080/cam@2/video"),
        ("photo.jpg", "photo.jpg"),
    ],
)  # fmt: skip
def test_what_is_shown_of_an_address(url: str, told: str) -> None:
    assert shown(url) == told
    assert named(url) == told
    assert not any(secret in shown(url) for secret in SECRETS)
    if "://" in url:
        address = Address(url)
        assert (str(address), repr(address)) == (told, f"Address({told!r})")


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://admin:ge#heim@127.0.0.1:9/x",
        "rtsp://admin:ge/heim@127.0.0.1:9/x",
        "rtsp://admin:12?heim@127.0.0.1:9/x",
        "rtsp://admin:ge?heim@cam.example.com/x",
        "rtsp://admin:/heim@cam/x",
        "rtsp://admin:ge//heim@cam/x",
        "rtsp://ad/min:geheim@cam/x",
        "rtsp://admin:ge@he/geheim@cam/x",
        "rtsp://john.smith:12#geheim@cam/x",
        "http://john.smith:1234/geheim@cam/x",
        "http://ge/heim@cam/x",
        "http://127.0.0.1:80/geheim#@cam",
        "http://cam/v?mail=a@b&token=geheim",
    ],
)
def test_a_sign_that_ends_a_password_early_is_explained_and_nothing_of_it_shown(url: str) -> None:
    with pytest.raises(InputError, match=r"%23 for #, %2F for / and %3F for \?; elsewhere write %40 for @") as raised:
        Address(url)
    for text in (str(raised.value), shown(url), named(url)):
        assert not any(secret in text for secret in ("heim", "admin", "john", "smith", "1234", "ge/", "ge@", "ad/"))


def test_the_whole_of_it_is_for_who_connects() -> None:
    address = Address("RTSP://ad min:p@s[s]%2F@cam:554/a b?x=1&y#z")
    assert address.whole() == "rtsp://ad%20min:p%40s%5Bs%5D%2F@cam:554/a%20b?x=1&y#z"
    assert address.plain() == "rtsp://cam:554/a%20b?x=1&y"
    assert address.credentials == ("ad min", "p@s[s]/")
    assert (address.scheme, address.hostname, address.port, address.path) == ("rtsp", "cam", 554, "/a b")
    again = Address(address.whole())
    assert again.credentials == address.credentials
    assert again.whole() == address.whole()
    assert Address("http://[::1]:8080/").hostname == "::1"
    assert Address("http://cam/").credentials is None
    assert Address.of(address) is address


@pytest.mark.parametrize(
    "url", ["http://", "http:///v", "http://cam:0/", "http://cam:x/", "http://cam:99999/", "http://[::1/"]
)
def test_an_address_without_a_place_has_no_host(url: str) -> None:
    assert Address(url).host == ""


@pytest.mark.parametrize("text", ["cam/video", "admin:geheim@cam", "://cam", "admin:geheim@cam://x", "1x://cam"])
def test_an_address_begins_with_its_kind(text: str) -> None:
    with pytest.raises(InputError, match="must begin with a scheme") as raised:
        Address(text)
    assert "geheim" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("admin:geheim@cam/x", "***@cam/x"),
        ("//admin:geheim@cam/x", "//***@cam/x"),
        ("///admin:geheim@cam/x", "///***@cam/x"),
        ("rtsp:/admin:geheim@cam/x", "rtsp:/***@cam/x"),
        (Path("rtsp://admin:geheim@cam/x"), "rtsp:/***@cam/x"),
        (Path("/home/me") / "rtsp://admin:ge/heim@cam/x", "/home/me/rtsp:/***@cam/x"),
        ("cam/video?password=geheim&a=1", "cam/video?password=***&a=1"),
        ("curl -s http://admin:geheim@cam/x http://cam/y?key=geheim", "curl -s http://cam/x http://cam/y?key=***"),
        ("clips/10:30.mp4", "clips/10:30.mp4"),
        ("C:\\me@home\\x.jpg", "C:\\me@home\\x.jpg"),
        ("runs/rate=0.1/last.ckpt", "runs/rate=0.1/last.ckpt"),
    ],
)
def test_what_is_no_address_is_named_without_its_secrets_too(given: object, told: str) -> None:
    assert named(given) == told


def test_a_message_repeats_little_of_a_long_input() -> None:
    told = named("x" * 1000 + ".jpg")
    assert len(told) <= LONGEST
    assert told.endswith("xx.jpg")
    for text in ("x" * 10**6, "_a" * 10**6 + "=", "/key" * 10**6, "a:" * 10**6, "http://" + "_a" * 10**6 + "=x@cam"):
        assert len(named(text)) <= LONGEST
    begin_s = time.monotonic()
    assert len(named("password=geheim" + "_a" * 10**6)) < 50
    assert shown("http://admin:geheim@cam/" + "_a=" * 10**6) == "http://***"
    with pytest.raises(InputError, match="at most 2,000 characters, got"):
        Address("http://admin:geheim@cam/" + "_a=" * 10**6)
    assert time.monotonic() - begin_s < 2
    assert "geheim" not in named(f"http://admin:{'geheim' * 100}@cam/{'a' * 300}")


def test_it_can_cross_to_a_worker() -> None:
    address = Address("http://admin:geheim@cam/x")
    assert pickle.loads(pickle.dumps(address)).whole() == address.whole()  # noqa: S301
