"""Stream addresses: what may be shown and recorded of one, and the full address for the code that connects.

An address may hold a name and password (`rtsp://name:password@host/path`), or carry them and tokens as values in its
query or path. None of that may reach a title, a message, a log, a record or a file name. So a printed `Address` shows
only what may be shown, and `named` does the same for anything else that was given as a source.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote, unquote

from mien.errors import InputError
from mien.wording import visible_name

LONGEST = 200
"""At most this many characters of an input are repeated in a message."""

_LOOKED_AT = 2_000
"""A longer input is not an address or path, and is not searched for secrets, which would take long."""
_HEAD = 30

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*)://")
_AUTHORITY_END = re.compile(r"[/?#]")
_PLACE = re.compile(r"(\[[0-9A-Fa-f:.]+(?:%[\w.~-]+)?\]|[\w.-]+)(?::(\d*))?")
_VALUE = re.compile(r"([\w.%-]*?)=(.*?)(?=[&;_,][A-Za-z][\w.%-]*?=|$)", re.DOTALL)
_HARMLESS = re.compile(
    r"_?(?:audio|buffer|camera|channel|(?:video)?codec|compression|format|fps|framerate|height|mode|multicast|profile|"
    r"proto|quality|rate|res|resolution|size|stream|streamtype|subtype|transport|type|unicast|video|width)",
    re.IGNORECASE,
)
"""Names whose values are shown, because they tell cameras apart; every other value may be a password."""
_CREDENTIAL = re.compile(
    r"(?i)((?:pass|pwd|psw|passwd|usr|user|login|token|secret|auth|api_?key|key|sig|session|credential)[\w.-]*=)[^&;\s]*"
)
_INSIDE = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]*://\S+")
_TARGET = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:[/\\]")
_SIMPLE = re.compile(r"[\w.:-]{1,16}")
_ALIKE = re.compile(
    r"((?:^|[/\\])[A-Za-z][A-Za-z0-9+.-]+:[/\\]{1,3}|^(?![A-Za-z]:[\\/])(?:[/\\]{2,3})?)[^\s/\\:@]*:.*@", re.DOTALL
)
"""An address without its scheme or with too few slashes: mistyped, or a path made from an address."""
_IN_USER, _IN_PATH, _IN_QUERY = "", "%/:=&;,@!$'()*+~-._[]", "%/?:=&;,@!$'()*+~-._[]"


class Address:
    """A parsed address. Printing it shows no secrets; `whole` and `plain` are only for the code that connects.

    Args:
        text: `scheme://name:password@host:port/path?query`. A name and password may hold any character except /, ?
            and #, which are written %2F, %3F and %23 in them.

    Attributes:
        scheme: in lower case.
        host: empty when there is none.
        port: 0 if none is given, or not a valid one.
        path: as given.
        shown: what may be shown.

    Raises:
        InputError: it has no scheme, or it is unclear where its password ends; the message shows nothing that may be
            secret.
    """

    __slots__ = ("_fragment", "_query", "_user", "host", "path", "port", "scheme", "shown")

    def __init__(self, text: str) -> None:
        text = text.rstrip()
        if len(text) > _LOOKED_AT:
            raise InputError(f"An address must have at most {_LOOKED_AT:,} characters, got {len(text):,}.")
        begin = _SCHEME.match(text)
        if begin is None:
            raise InputError(f"An address must begin with a scheme such as http:// or rtsp://, got {named(text)}.")
        self.scheme = begin[1].lower()
        self.shown = shown(text)
        authority, rest = _parts(text[begin.end() :])
        if _is_unclear(authority, rest):
            raise InputError(
                f"In this address an @ follows a /, ? or #, so it is unclear where its password ends "
                f"({named(text)}). In a name or password write %23 for #, %2F for / and %3F for ?; elsewhere write "
                "%40 for @."
            )
        user, at, place = authority.rpartition("@")
        self._user: str | None = user if at else None
        found = _PLACE.fullmatch(place)
        self.host = found[1] if found else ""
        self.port = int(found[2]) if found and found[2] else 0
        if found and found[2] is not None and not 0 < self.port < 2**16:
            self.host, self.port = "", 0
        before, sharp, self._fragment = rest.partition("#")
        self._fragment = sharp + self._fragment
        self.path, mark, self._query = before.partition("?")
        self._query = mark + self._query

    @classmethod
    def of(cls, given: str | Address) -> Address:
        """An address as such."""
        return given if isinstance(given, Address) else cls(given)

    @property
    def hostname(self) -> str:
        """The host without the brackets of an IPv6 address, as sockets take it."""
        return self.host.strip("[]")

    @property
    def credentials(self) -> tuple[str, str] | None:
        """Name and password, decoded; None when the address holds none."""
        if self._user is None:
            return None
        name, _, password = self._user.partition(":")
        return unquote(name), unquote(password)

    def plain(self) -> str:
        """The address without name and password, but with its query: for requests, never shown."""
        return self._written("", with_fragment=False)

    def whole(self) -> str:
        """The full address, encoded so that every library parses it alike: for connecting, never shown."""
        if self._user is None:
            return self._written("", with_fragment=True)
        user = ":".join(quote(unquote(part), safe=_IN_USER) for part in self._user.split(":", 1))
        return self._written(f"{user}@", with_fragment=True)

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"

    def _written(self, user: str, *, with_fragment: bool) -> str:
        port = f":{self.port}" if self.port else ""
        path, query = quote(self.path, safe=_IN_PATH), quote(self._query, safe=_IN_QUERY)
        fragment = quote(self._fragment, safe=f"#{_IN_QUERY}") if with_fragment else ""
        return f"{self.scheme}://{user}{self.host}{port}{path}{query}{fragment}"


def shown(text: str) -> str:
    """A source as it may be shown and recorded: an address without name, password or token; others unchanged.

    Values in a query are left out except for a few that tell cameras apart, and so is everything after a #.
    """
    begin = _SCHEME.match(text)
    if begin is None:
        return text
    if len(text) > _LOOKED_AT:
        return f"{begin[1].lower()}://***"
    text = text.rstrip()
    authority, rest = _parts(text[begin.end() :])
    if _is_unclear(authority, rest):
        authority, rest = _parts(f"{authority}{rest}".rpartition("@")[2])
    place = _PLACE.fullmatch(authority.rpartition("@")[2])
    path, _, query = rest.partition("#")[0].partition("?")
    if ":" in path.rpartition("@")[0]:  # another address inside
        path = f"/***@{path.rpartition('@')[2]}"
    tail = "/".join(_without_values(part) for part in path.split("/"))
    asked = f"?{_without_values(query, bare=True)}" if query else ""
    return f"{begin[1].lower()}://{place[0] if place else '***'}{tail}{asked}"


def named(given: object) -> str:
    """How a message names a source or file that the user gave: without secrets, at most `LONGEST` characters."""
    text = str(given)
    if len(text) > _LOOKED_AT:
        head = text[:_HEAD]
        is_secret = any(sign in head for sign in ":=@?")
        return f"a text of {len(text):,} characters" if is_secret else f"{visible_name(head)}…"
    if _SCHEME.match(text):
        text = shown(text)
    else:
        text = _INSIDE.sub(lambda found: shown(found[0]), _CREDENTIAL.sub(r"\1***", _ALIKE.sub(r"\1***@", text)))
    text = visible_name(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 41]}…{text[-40:]}"


def is_address(target: object) -> bool:
    """Whether a file to write is named like an address, even after a path has merged its two slashes into one."""
    return _TARGET.match(str(target)) is not None


def _parts(text: str) -> tuple[str, str]:
    """The authority and what follows it, from the text after the scheme."""
    end = _AUTHORITY_END.search(text)
    return (text, "") if end is None else (text[: end.start()], text[end.start() :])


def _is_unclear(authority: str, rest: str) -> bool:
    """Whether what follows the authority may be the end of a password in which /, ? or # were not encoded."""
    before, at, _ = rest.rpartition("@")
    if not at:
        return False
    place = _PLACE.fullmatch(authority.rpartition("@")[2])
    host = place[1].strip("[]") if place else ""
    if place and (host == "localhost" or _is_number(host)):
        return "#" in before  # a fragment never holds an @
    return place is None or "." not in host or "#" in before or ":" in authority or ":" in before


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _without_values(text: str, *, bare: bool = False) -> str:
    """A query, or a part of a path, without what may be secret; `bare` also hides values without a name."""
    decoded = unquote(text)
    if "=" not in decoded:
        return "***" if bare and text else text
    return _VALUE.sub(lambda found: found[0] if _is_harmless(found[1], found[2]) else f"{found[1]}=***", decoded)


def _is_harmless(name: str, value: str) -> bool:
    return _HARMLESS.fullmatch(name) is not None and _SIMPLE.fullmatch(value) is not None
