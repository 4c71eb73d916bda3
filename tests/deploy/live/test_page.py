import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from sim2real.deploy.envelope.verdict import Verdict
from sim2real.deploy.live.page import is_loopback, make_server
from sim2real.deploy.live.processes import dashboard, page
from sim2real.deploy.operator import Operator
from sim2real.deploy.supervisor import Event, State
from sim2real.errors import ConfigError

MS = 1_000_000


class Client:
    """Asks a server of this test, in a thread."""

    def __init__(self, server):
        self.port = server.server_address[1]

    def __call__(self, method, path, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        content = answer.read().decode()
        connection.close()
        return answer.status, content


@pytest.fixture
def serve(run):
    servers = []

    def start(host="127.0.0.1"):
        server = make_server(run.facts, run.ring, "127.0.0.1", 0, "secret")
        server.RequestHandlerClass.open_to_all = is_loopback(host)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return Client(server)

    yield start
    for server, thread in servers:
        server.shutdown(), server.server_close(), thread.join()


def test_the_page_has_a_stop_button_and_the_state_is_json(serve, run):
    ask = serve()
    code, content = ask("GET", "/")
    assert code == 200
    assert 'id="stop"' in content
    run.rows(range(0, 100 * MS, 20 * MS))
    told = json.loads(ask("GET", "/state")[1])
    assert told["state"] == "RUNNING"
    assert told["silent"] < 30.0


def test_the_buttons_reach_the_loop(serve, run):
    ask, operator = serve(), Operator(run.ring)
    assert operator.poll() == Event.NONE
    assert ask("POST", "/stop", Authorization="Bearer secret")[0] == 200
    assert operator.poll() == Event.STOP
    assert operator.poll() == Event.NONE
    assert ask("POST", "/rearm", Authorization="Bearer secret")[0] == 200
    assert operator.poll() == Event.REARM


def test_a_stop_comes_before_a_rearm(run):
    operator = Operator(run.ring)
    run.ring.ask_rearm(), run.ring.ask_stop()
    assert operator.poll() == Event.STOP


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
@pytest.mark.parametrize("button", ["/stop", "/rearm"])
def test_a_page_of_another_site_cannot_press_a_button(serve, run, headers, button):
    assert serve()("POST", button, **headers)[0] == 403
    assert Operator(run.ring)._rearms == run.ring.stops == 0


def test_a_foreign_name_that_points_here_sees_nothing(serve):
    ask = serve()
    for path in ("/", "/state"):
        assert ask("GET", path, Host="evil.example:80")[0] == 403
    assert ask("GET", "/", Host="localhost:1234")[0] == 200


def test_elsewhere_than_on_loopback_nothing_is_seen_without_the_token(serve):
    ask = serve(host="192.168.1.5")
    assert ask("GET", "/")[0] == 403
    assert ask("GET", "/state?token=wrong")[0] == 403
    assert ask("GET", "/?token=secret")[0] == 200
    assert ask("GET", "/state", Authorization="Bearer secret")[0] == 200


@pytest.mark.parametrize("address", ["8080", "127.0.0.1:http", "127.0.0.1:65536"])
def test_an_address_that_is_none_is_refused(run, address):
    with pytest.raises(ConfigError, match="host:port"), page(run.facts, address):
        pass


def test_a_port_that_is_taken_and_a_foreign_address_are_told(run, capfd):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        for address, why in ((taken, "Address already in use"), ("192.0.2.1:8080", "assign")):
            with (
                pytest.raises(ConfigError, match=f"no page at {address} .*{why}.*free port"),
                page(run.facts, address),
            ):
                pass
    assert capfd.readouterr() == ("", "")  # no traceback beside it


def test_ctrl_c_reaches_neither_the_page_nor_the_dashboard(run):
    with page(run.facts, "127.0.0.1:0"), dashboard(run.facts):
        family = [f"/proc/self/task/{task}/children" for task in os.listdir("/proc/self/task")]
        children = [int(child) for name in family for child in Path(name).read_text().split()]
        in_ours = [child for child in children if os.getpgid(child) == os.getpgid(0)]
    assert len(children) >= 2
    assert in_ours == []


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False),
     ("192.168.1.5", False), ("robot.local", False)],
)  # fmt: skip
def test_only_loopback_is_loopback(host, here):
    assert is_loopback(host) == here


def test_what_is_no_page_is_not_found(serve):
    ask = serve()
    assert ask("GET", "/etc/passwd")[0] == 404
    assert ask("POST", "/shutdown", Authorization="Bearer secret")[0] == 404


def test_a_page_is_served_by_a_process_of_its_own(run):
    with page(run.facts, "127.0.0.1:0") as url:
        host, port = url.removeprefix("http://").rstrip("/").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=20)
        connection.request("GET", "/state")
        assert json.loads(connection.getresponse().read())["robot"] == "arm"
        connection.close()


class Browser:
    """Headless Chromium, driven through a pipe by its DevTools protocol."""

    def __init__(self, binary, folder):
        there, self._write = os.pipe()
        self._read, back = os.pipe()
        flags = (
            "--headless --no-sandbox --disable-gpu --remote-debugging-pipe"
            f" --user-data-dir={folder} about:blank"
        )
        # the protocol's pipes are files 3 and 4
        command = f"exec {binary} {flags} 3<&{there} 4>&{back} >/dev/null 2>&1"
        self._process = subprocess.Popen(["bash", "-c", command], pass_fds=[there, back])
        os.close(there), os.close(back)
        self._rest, self._count, self._session = b"", 0, None

    def call(self, method, **parameters):
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                self._rest += os.read(self._read, 65536)
            line, _, self._rest = self._rest.partition(b"\0")
            answer = json.loads(line)
            if answer.get("id") == self._count:
                return answer["result"]

    def open(self, url):
        target = self.call("Target.createTarget", url=url)["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression)["result"].get("value")

    def until(self, expression, patience=60.0):
        end = time.monotonic() + patience
        while not self.evaluate(expression):
            assert time.monotonic() < end, self.evaluate("document.body.innerText")
            time.sleep(0.05)

    def close(self):
        self._process.kill()
        self._process.wait()
        os.close(self._write), os.close(self._read)


@pytest.fixture
def browser():
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    if binary is None:
        pytest.skip("no Chromium here")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = Browser(binary, folder)
        yield made
        made.close()


def test_in_a_real_browser_the_button_stops_and_another_rearms(run, browser):
    operator = Operator(run.ring)
    run.rows(range(0, 100 * MS, 20 * MS))
    with page(run.facts, "127.0.0.1:0") as url:
        browser.open(url)
        browser.until("document.querySelector('#state')?.textContent === 'RUNNING'")
        assert browser.evaluate("document.querySelector('#rearm').hidden")
        assert "position of 'servo'" in browser.evaluate("document.body.innerText")
        browser.until("document.querySelector('#reason').textContent.includes('the run hangs')")
        size = browser.evaluate("document.querySelector('#stop').getBoundingClientRect().height")
        assert size > 150
        browser.evaluate("document.querySelector('#stop').click()")
        browser.until("true")
        end = time.monotonic() + 20.0
        while operator.poll() != Event.STOP:
            assert time.monotonic() < end
            time.sleep(0.01)
        run.rows([120 * MS], verdict=Verdict.TRIP, state=State.DAMP)
        browser.until("document.querySelector('#state').textContent === 'DAMP'")
        browser.until("!document.querySelector('#rearm').hidden")
        browser.evaluate("document.querySelector('#rearm').click()")
        while operator.poll() != Event.REARM:
            assert time.monotonic() < end + 20.0
            time.sleep(0.01)
