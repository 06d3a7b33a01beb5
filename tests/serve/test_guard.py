from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from mien.errors import InputError
from mien.serve import guard
from mien.serve.settings import ServeSettings

TOKEN = "a-token-of-enough-characters"  # noqa: S105


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:{port}", "localhost", "localhost:1", "[::1]:{port}", "127.9.9.9", "LocalHost.", "localhost.:{port}"],
)
def test_names_of_this_machine_are_taken(server: Any, host: str) -> None:
    status, _, _ = server.ask("GET", "/v1/models", headers={"Host": host.format(port=server.port)})
    assert status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.nip.io", "8.8.8.8", "", "a b"),
        *("[::1]evil.example", "[::1", "[::1%25;x]", "127.0.0.1:evil", "localhost..", "user@localhost"),
        *("localhost:80; script-src *", "[::1]; script-src *"),  # it would be repeated in the policy of the page
    ],
)
@pytest.mark.parametrize("path", ["/", "/v1/models", "/v1/health", "/page/app.js", "/metrics"])
def test_other_names_are_refused(server: Any, host: str, path: str) -> None:
    status, _, body = server.ask("GET", path, headers={"Host": host})
    assert status == 421
    assert b"does not name this machine" in body


def test_a_name_can_be_allowed(serving: Callable[..., Any]) -> None:
    server = serving(hosts=("mien.example",))
    assert server.ask("GET", "/v1/models", headers={"Host": "mien.example"})[0] == 200
    assert server.ask("GET", "/v1/models", headers={"Host": "other.example"})[0] == 421


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1:1",
        "file://",
        "http://localhost",
        "http://[::1",
        "",
        "x://{host}",
    ],
)
def test_pages_of_other_origins_are_refused(server: Any, photo: bytes, origin: str) -> None:
    origin = origin.format(host=f"127.0.0.1:{server.port}")
    status, _, body = server.ask("POST", "/v1/look", photo, {"Origin": origin})
    assert status == 403
    assert b"--allow-origin" in body
    with pytest.raises(InvalidStatus) as caught, server.live(origin=origin):
        pass
    assert caught.value.response.status_code == 403


def test_its_own_page_and_allowed_ones_are_not(serving: Callable[..., Any], photo: bytes) -> None:
    server = serving(origins=("https://friend.example",))
    own = f"http://127.0.0.1:{server.port}"
    for origin in (own, "https://friend.example"):
        status, headers, _ = server.ask("POST", "/v1/look", photo, {"Origin": origin})
        assert status == 200
        assert headers.get("access-control-allow-origin") == (None if origin == own else origin)
        with server.live(origin=origin):
            pass
    status, headers, _ = server.ask("OPTIONS", "/v1/look", headers={"Origin": "https://friend.example"})
    assert (status, "POST" in headers["access-control-allow-methods"]) == (204, True)
    status, headers, _ = server.ask("OPTIONS", "/v1/look", headers={"Origin": "https://foe.example"})
    assert "access-control-allow-origin" not in headers
    policy = server.ask("GET", "/")[1]["content-security-policy"]
    assert "frame-ancestors 'self' https://friend.example" in policy


def test_the_token_is_asked_for(serving: Callable[..., Any], photo: bytes) -> None:
    server = serving(token=TOKEN)
    right, wrong = {"Authorization": f"Bearer {TOKEN}"}, {"Authorization": f"Bearer {TOKEN}x"}
    for path in ("/v1/models", "/v1/jobs/x", "/metrics", "/v1/models/emotion_residual"):
        status, headers, body = server.ask("GET", path)
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert b"needs its token" in body
        assert server.ask("GET", path, headers=wrong)[0] == 401
        assert server.ask("GET", path, headers={"Authorization": f"Basic {TOKEN}"})[0] == 401
        assert server.ask("GET", path, headers=right)[0] != 401
        assert server.ask("GET", f"{path}?token={TOKEN}")[0] != 401
    assert server.look("/v1/look", photo)[0] == 401
    assert server.look("/v1/look", photo, right)[0] == 200
    for path in ("/", "/page/app.js", "/v1/health", "/v1/openapi.json"):  # they say nothing about anybody
        assert server.ask("GET", path)[0] == 200
    for query in ("", "?token=wrong", f"?token={TOKEN[:-1]}"):
        with pytest.raises(InvalidStatus) as caught, server.live(query):
            pass
        assert caught.value.response.status_code == 401
        assert b"token" in (caught.value.response.body or b"")
    with server.live(f"?token={TOKEN}"):
        pass


def test_tokens_are_compared_in_constant_time(serving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def compare(given: bytes, own: bytes) -> bool:
        compared.append((given, own))
        return real(given, own)

    server = serving(token=TOKEN)
    monkeypatch.setattr(guard.hmac, "compare_digest", compare, raising=True)
    assert (
        server.ask("GET", "/v1/models", headers={"Authorization": "Bearer zażółć".encode().decode("latin-1")})[0] == 401
    )
    assert len(compared) == 1
    assert compared[0][1] == TOKEN.encode()


def test_answers_are_kept_to_themselves(server: Any) -> None:
    for path in ("/", "/v1/models"):
        _, headers, _ = server.ask("GET", path)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
    assert server.ask("GET", "/v1/models")[1]["cache-control"] == "no-store"


def test_the_description_names_no_secret(serving: Callable[..., Any]) -> None:
    server = serving(token=TOKEN)
    described = server.ask("GET", "/v1/openapi.json")[2]
    assert json.loads(described)["openapi"].startswith("3.")
    assert TOKEN.encode() not in described


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"host": "0.0.0.0"}, "needs a token"),  # noqa: S104
        ({"host": "192.168.0.7"}, "needs a token"),
        ({"host": "example.org"}, "needs a token"),
        ({"token": "short"}, "at least 16 characters"),
        ({"token": "a token with blanks in it"}, "at least 16 characters"),
        ({"hosts": ("https://a.example",)}, "without port or path"),
        ({"origins": ("https://a.example/path",)}, "An origin must be like"),
        ({"origins": ("*",)}, "An origin must be like"),
        ({"origins": ("https://",)}, "An origin must be like"),
        ({"origins": ("http://[::1",)}, "An origin must be like"),
        ({"origins": ("https://a.example; script-src *",)}, "An origin must be like"),
    ],
)
def test_wrong_settings_get_a_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ServeSettings(**given)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_at_a_loopback_address_no_token_is_needed(host: str) -> None:
    assert ServeSettings(host=host).is_loopback


def test_origins_are_compared_as_browsers_send_them() -> None:
    settings = ServeSettings(origins=("https://A.example:443", "http://b.example:8080", "http://[::1]:80"))
    assert settings.origins == ("https://a.example", "http://b.example:8080", "http://[::1]")
    assert ServeSettings(hosts=("fd00::1", "10.0.0.7")).hosts == ("fd00::1", "10.0.0.7")


def test_at_all_addresses_any_address_names_this_machine_but_nothing_else(serving: Callable[..., Any]) -> None:
    server = serving(host="", token=TOKEN)
    for host, expected in (("10.0.0.7:80", 200), ("[fd00::1]", 200), ("", 421), ("x y", 421), ("evil.example", 421)):
        assert server.ask("GET", "/v1/health", headers={"Host": host})[0] == expected, host


def test_head_is_answered_as_get_without_the_body(server: Any) -> None:
    for path in ("/", "/v1/health", "/page/app.js", "/v1/models", "/v1/nothing"):
        status, _, body = server.ask("GET", path)
        again, described, nothing = server.ask("HEAD", path)
        assert (again, described["content-length"], nothing) == (status, str(len(body)), b""), path
    assert 'method="HEAD",route="/v1/health"' in server.ask("GET", "/metrics")[2].decode()
