"""One POST: pinned to an address, bounded in time and size."""

import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from atelier.core.deliveries import sending
from atelier.core.deliveries.guard import target_of
from atelier.core.deliveries.sending import Unreachable, post
from tests.core.deliveries.receiver import Receiver, closed_port, status

LOOPBACK = ["127.0.0.1"]


def send(url, addresses=LOOPBACK, **more):
    return post(target_of(url), addresses, body=b"{}", headers={"X-A": "b"}, **more)


def test_f19_the_connection_goes_to_the_checked_address_and_names_the_host():
    with Receiver([status(200)]) as receiver:
        answer = send(receiver.url("/hook?a=1", host="shop.example"))
        assert answer.status == 200
        (received,) = receiver.received
    assert received.headers["Host"] == f"shop.example:{receiver.port}"
    assert (received.path, received.body, received.headers["X-A"]) == ("/hook?a=1", b"{}", "b")


def test_f19_redirects_are_not_followed():
    with Receiver([status(200)]) as inner, Receiver([status(302, Location=inner.url())]) as outer:
        assert send(outer.url()).status == 302
        assert inner.received == []


def test_an_address_that_takes_no_connection_is_passed_over():
    with Receiver([status(204)]) as receiver:
        assert send(receiver.url(), ["127.0.0.99", "127.0.0.1"]).status == 204


def test_nobody_listening_is_unreachable():
    with pytest.raises(Unreachable, match="Refused"):
        send(f"http://127.0.0.1:{closed_port()}/")


def test_a_receiver_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(sending, "READ_SECONDS", 0.2)
    with Receiver([lambda handler: receiver.released.wait(30)]) as receiver:
        began = time.monotonic()
        with pytest.raises(Unreachable):
            send(receiver.url())
        receiver.released.set()
    assert time.monotonic() - began < 5


def drip(handler):
    """A header that never ends, a byte at a time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(600):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.05)


def test_a_receiver_that_answers_a_byte_at_a_time_is_given_up(monkeypatch):
    monkeypatch.setattr(sending, "WHOLE_SECONDS", 0.5)
    with Receiver([drip]) as receiver:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="No answer within"):
            send(receiver.url())
    assert time.monotonic() - began < 10


def flood(handler):
    handler.send_response(500)
    handler.end_headers()
    for _ in range(2000):
        handler.wfile.write(b"x" * 100_000)


def test_of_a_huge_answer_only_the_beginning_is_read():
    with Receiver([flood]) as receiver:
        answer = send(receiver.url())
    assert (answer.status, answer.excerpt) == (500, "x" * sending.EXCERPT_BYTES)


def test_a_header_without_end_is_unreachable():
    def answer(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000)

    with Receiver([answer]) as receiver, pytest.raises(Unreachable):
        send(receiver.url())


def test_what_is_not_http_is_unreachable():
    with (
        Receiver([lambda handler: handler.wfile.write(b"220 mail.example ESMTP\r\n")]) as receiver,
        pytest.raises(Unreachable, match="BadStatusLine"),
    ):
        send(receiver.url())


def test_why_there_is_no_answer_is_text_that_postgresql_takes():
    with (
        Receiver([lambda handler: handler.wfile.write(b"\0\xff nonsense\r\n")]) as receiver,
        pytest.raises(Unreachable, match="nonsense") as raised,
    ):
        send(receiver.url())
    assert "\0" not in str(raised.value)


def test_an_excerpt_is_text_that_postgresql_takes():
    with Receiver([status(400, b"\0\xff\xed\xa0\x80<b>")]) as receiver:
        excerpt = send(receiver.url()).excerpt
    assert "\0" not in excerpt
    assert excerpt.endswith("<b>")
    excerpt.encode()


def in_hours(hours):
    return format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        (lambda: "120", 120, 120),
        (lambda: in_hours(1), 3000, 3600),
        (lambda: in_hours(-1), 0, 0),
    ],
)
def test_retry_after_is_read_in_both_forms(value, low, high):
    with Receiver([status(503, Retry_After=value())]) as receiver:
        assert low <= send(receiver.url()).retry_after <= high


@pytest.mark.parametrize("value", ["", "-1", "soon", "1.5", "9" * 40, "Thu, 99 Foo 99999"])
def test_a_retry_after_that_is_none_is_passed_over(value):
    with Receiver([status(503, Retry_After=value)]) as receiver:
        assert send(receiver.url()).retry_after is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for the name shop.example alone, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def secured(certificate):
    """A receiver over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Receiver([status(200)], context) as receiver:
        yield receiver


def test_f19_the_certificate_is_checked_by_the_name_and_not_by_the_address(secured, certificate):
    trusting = ssl.create_default_context(cafile=str(certificate))
    url = secured.url(scheme="https", host="shop.example")
    assert send(url, context=trusting).status == 200
    with pytest.raises(Unreachable, match="Hostname mismatch"):
        send(secured.url(scheme="https", host="other.example"), context=trusting)
    assert len(secured.received) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(secured):
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        send(secured.url(scheme="https", host="shop.example"))
    assert secured.received == []
