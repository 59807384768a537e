"""What an instance writes to its socket, seen with gunicorn's own request and configuration."""

import json
import socket

import pytest
from gunicorn import util
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.parser import RequestParser

from atelier import responder
from atelier.responder import WholeResponse


@pytest.fixture
def sent():
    """The pieces that a response wrote for a request; each write is a datagram here."""
    pairs = []

    def send(headers, *body, method=b"GET"):
        client, server = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pairs.extend([client, server])
        lines = method + b" / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        config = Config()
        request = next(RequestParser(config, iter([lines]), ("127.0.0.1", 1)))
        response, _ = wsgi.create(
            request, server, ("127.0.0.1", 1), ("localhost", 80), config, WholeResponse
        )
        response.start_response("200 OK", headers)
        for piece in body:
            if isinstance(piece, wsgi.FileWrapper):
                response.write_file(piece)
            else:
                response.write(piece)
        response.close()
        server.close()
        return list(iter(lambda: client.recv(65536), b""))

    yield send
    for one in pairs:
        one.close()


def test_headers_and_body_are_one_write(sent):
    [answer] = sent([("Content-Length", "2")], b"{}")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"Content-Length: 2\r\n\r\n{}")


def test_an_answer_without_a_body_is_sent_too(sent):
    [answer] = sent([("Content-Length", "0")])
    assert answer.endswith(b"\r\n\r\n")
    [answer] = sent([("Content-Length", "2")], b"{}", method=b"HEAD")
    assert answer.endswith(b"Content-Length: 2\r\n\r\n")


def test_a_body_in_pieces_is_whole_and_in_order(sent):
    first, *others = sent([("Content-Length", "3")], b"a", b"b", b"c")
    assert first.endswith(b"\r\n\r\na")
    assert others == [b"b", b"c"]
    assert b"".join(sent([], b"a", b"b")).endswith(b"\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n")


def test_the_headers_of_a_file_go_before_it(sent, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    with path.open("rb") as file:
        first, *others = sent([("Content-Length", "7")], wsgi.FileWrapper(file))
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (first + b"".join(others)).endswith(b"\r\n\r\ncontent")


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [(400, "Bad Request", "bad_request"), (500, "Internal Server Error", "error")],
)
def test_what_cannot_be_read_is_refused_as_a_problem(monkeypatch, status, reason, code):
    monkeypatch.setattr(util, "write_error", util.write_error)
    monkeypatch.setattr(wsgi, "Response", wsgi.Response)
    responder.install()
    client, server = socket.socketpair()
    with client, server:
        util.write_error(server, status, reason, "Invalid HTTP Header: '<script>'")
        server.close()
        head, _, body = client.recv(65536).partition(b"\r\n\r\n")
    assert head.splitlines()[0] == f"HTTP/1.1 {status} {reason}".encode()
    assert b"Content-Type: application/problem+json" in head
    assert f"Content-Length: {len(body)}".encode() in head
    told = json.loads(body)
    assert (told["status"], told["title"], told["code"]) == (status, reason, code)
    assert b"script" not in body
