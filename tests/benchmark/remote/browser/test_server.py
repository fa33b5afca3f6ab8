"""Who may ask for what: the token, the sizes, the files."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest

from benchmark.remote.browser.device import browser_named, parse_listen, picture_of
from benchmark.remote.browser.server import Server
from tests.commands import assert_one_line_error, run_in_process
from train.common.errors import ToolkitError


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path) as found:
        yield found


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message


def ask(
    address: str, path: str, *, method: str = "GET", headers: dict[str, str] | None = None
) -> Answer:
    host, token = address.removeprefix("http://").split("/", 1)
    place = "/" + path.replace("TOKEN", token.rstrip("/"))
    with closing(http.client.HTTPConnection(host, timeout=10)) as connection:
        connection.request(method, place, headers=headers or {})
        with connection.getresponse() as answer:
            answer.read()
            return Answer(status=answer.status, headers=answer.headers)


def test_the_page_is_isolated_so_that_its_clock_is_a_fine_one(server: Server) -> None:
    answer = ask(server.new_page("127.0.0.1"), "TOKEN/")
    assert answer.status == 200
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path", ["", "x/", "TOKENx/", "tok%C3%A9n/", "../TOKEN/", "TOKEN/../../etc/passwd"]
)
def test_nothing_is_served_but_under_the_token(server: Server, path: str) -> None:
    assert ask(server.new_page("127.0.0.1"), path).status in (403, 404)


@pytest.mark.parametrize(
    "path", ["page/../server.py", "page/package.json", "models/0", "inputs/0/0"]
)
def test_no_other_file_is_served(server: Server, path: str) -> None:
    assert ask(server.new_page("127.0.0.1"), f"TOKEN/{path}").status == 404


def test_the_token_of_an_earlier_page_is_none(server: Server) -> None:
    earlier = server.new_page("127.0.0.1")
    assert ask(earlier, "TOKEN/").status == 200
    server.new_page("127.0.0.1")
    assert ask(earlier, "TOKEN/").status == 403


def test_a_message_that_is_too_large_is_not_read(server: Server) -> None:
    address = server.new_page("127.0.0.1")
    headers = {"Content-Length": str(2 << 30)}
    answer = ask(address, "TOKEN/say/hello", method="POST", headers=headers)
    assert answer.status == 413
    for length in ("-1", "1e3", "9" * 99):
        answer = ask(address, "TOKEN/say/hello", method="POST", headers={"Content-Length": length})
        assert answer.status in (411, 413)
    assert server.messages.empty()


def test_a_message_that_is_cut_off_is_none(server: Server) -> None:
    address = server.new_page("127.0.0.1")
    host, token = address.removeprefix("http://").split("/", 1)
    name, port = host.split(":")
    with socket.create_connection((name, int(port)), timeout=10) as connection:
        head = f"POST /{token}say/alive HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
        connection.sendall(head.encode() + b"{")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert server.messages.empty()


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ToolkitError, match=rf"cannot listen on 127\.0\.0\.1 port {port}: "):
            Server(tmp_path, ("127.0.0.1", port))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.0.0.0", ("0.0.0.0", 0)),  # noqa: S104 - a text
        ("192.168.1.5:8000", ("192.168.1.5", 8000)),
        ("[::1]:8000", ("::1", 8000)),
        ("host.example", ("host.example", 0)),
    ],
)
def test_addresses_to_listen_on(text: str, expected: tuple[str, int]) -> None:
    assert parse_listen(text) == expected


@pytest.mark.parametrize("text", ["", ":80", "a b", "host:99999", "http://x", "::1", "[::1"])
def test_other_texts_are_no_addresses(text: str) -> None:
    with pytest.raises(ToolkitError, match=r"expected ADDRESS\[:PORT\]"):
        parse_listen(text)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--browser", "--serve"), "--browser with --serve"),
        (("--listen", "192.168.1.5"), "got --listen without --serve"),
        (("--accelerator", "webgpu"), "got --accelerator without --browser or --serve"),
        (("--host", "x", "--serve"), "got --browser or --serve with --host"),
        (("--serve", "--listen", "::1"), "--listen: got '::1'"),
    ],
)
def test_options_that_do_not_go_together(
    tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    done = run_in_process("benchmark", "--artifacts", tmp_path, *arguments)
    assert_one_line_error(done, expected)


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (
            "Mozilla/5.0 (Linux; Android 10; K) Chrome/140.0.0.0 Mobile Safari/537.36",
            "Chrome 140 Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, "
            "like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
            "Safari 18 iPhone",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox 140"),
        ("Chrome/140.0.0.0 Safari/537.36 Edg/141.0.0.0", "Edge 141"),
        ("../../etc/passwd Chrome/99999999999", "Chrome 999999"),
        ("", "browser"),
    ],
)
def test_browsers_are_named_by_what_they_call_themselves(user_agent: str, name: str) -> None:
    assert browser_named(user_agent)[0] == name


def test_a_phone_reads_the_address_as_a_picture() -> None:
    pytest.importorskip("segno")
    rows = picture_of("http://192.168.1.5:8000/token/", "utf-8").splitlines()
    assert len({len(row) for row in rows}) == 1
    assert set("".join(rows)) <= set(" ▀▄█")
    assert picture_of("http://192.168.1.5:8000/token/", "ascii") == ""
