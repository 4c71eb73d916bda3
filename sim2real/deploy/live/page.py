"""The process behind the page: facts on stdin, its port on stdout, HTTP until stdin ends.

Who may talk to it: on loopback whoever is on this computer, elsewhere whoever knows the token.
A page of another site cannot press the buttons: it does not know the token, which stands in our
page only, and a name that another site's DNS points here is refused by its Host header.
"""

import hmac
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sim2real.deploy.live.facts import Facts, read_facts
from sim2real.deploy.live.view import Pulse, snapshot
from sim2real.deploy.ring import Ring

_PAGE = Path(__file__).with_name("page.html")
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
)


def main() -> None:
    """Serve until stdin ends."""
    facts, options = read_facts()
    place = options["host"], options["port"]
    try:
        server = make_server(facts, facts.open_ring(), *place, options["token"])
    except OSError as error:
        print(error.strerror)  # noqa: T201 - the parent says the rest
        return
    print(server.server_address[1], flush=True)  # noqa: T201 - the parent reads it
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while os.read(0, 1):
        pass
    server.shutdown()


def is_loopback(host: str) -> bool:
    """Return whether only this computer reaches an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def make_server(facts: Facts, ring: Ring, host: str, port: int, token: str) -> ThreadingHTTPServer:
    """Return the server of a run's page, not yet serving."""

    class Handler(_Handler):
        pass

    Handler.facts, Handler.ring, Handler.token = facts, ring, token
    Handler.pulse = Pulse(ring)
    Handler.open_to_all = is_loopback(host)
    return ThreadingHTTPServer((host, port), Handler)


class _Handler(BaseHTTPRequestHandler):
    facts: Facts
    ring: Ring
    pulse: Pulse
    token: str
    open_to_all: bool
    timeout = 5.0  # s: a client that stops in the middle does not keep a thread

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        given = parse_qs(place.query).get("token", [""])[0] or self._header_token()
        if not self._host_is_ours() or not (self.open_to_all or self._is_token(given)):
            self._answer(403, b"forbidden: give ?token=...", "text/plain")
        elif place.path == "/":
            page = _PAGE.read_text().replace("{{token}}", self.token)
            self._answer(200, page.encode(), "text/html; charset=utf-8")
        elif place.path == "/state":
            told = snapshot(self.facts, self.ring) | {"silent": self.pulse.silent()}
            self._answer(200, json.dumps(told).encode(), "application/json")
        else:
            self._answer(404, b"no such page", "text/plain")

    def do_POST(self) -> None:
        asks = {"/stop": self.ring.ask_stop, "/rearm": self.ring.ask_rearm}
        if not self._host_is_ours() or not self._is_token(self._header_token()):
            self._answer(403, b"forbidden", "text/plain")
        elif self.path not in asks:
            self._answer(404, b"no such button", "text/plain")
        else:
            asks[self.path]()
            self._answer(200, b"{}", "application/json")

    def _host_is_ours(self) -> bool:
        if not self.open_to_all:
            return True  # the token tells
        return is_loopback(urlsplit("//" + (self.headers.get("Host") or "")).hostname or "")

    def _header_token(self) -> str:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())

    def _answer(self, code: int, content: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal is the dashboard's."""


if __name__ == "__main__":
    sys.exit(main())
