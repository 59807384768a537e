import hashlib
import hmac
import re
import time

import pytest

from atelier.core.deliveries.signing import signature_of, verifies
from tests.repository.checkout import ROOT

BODY = b'{"userid":1,"region":"Canada","subscriptionStatus":"None"}'


def test_the_signature_is_over_time_and_body():
    expected = hmac.new(b"key", b"1700000000." + BODY, hashlib.sha256).hexdigest()
    assert signature_of(BODY, at=1_700_000_000, keys=["key"]) == f"t=1700000000,v1={expected}"


def test_while_keys_are_rotated_either_verifies():
    signature = signature_of(BODY, at=100, keys=["new", "old"])
    assert signature.count("v1=") == 2
    assert verifies(signature, BODY, key="new", now=100)
    assert verifies(signature, BODY, key="old", now=100)
    assert not verifies(signature, BODY, key="older", now=100)


@pytest.mark.parametrize(
    ("body", "now"), [(BODY + b" ", 100), (BODY, 100 + 301), (BODY, 100 - 301)]
)
def test_another_body_and_another_time_do_not_verify(body, now):
    assert not verifies(signature_of(BODY, at=100, keys=["key"]), body, key="key", now=now)


@pytest.mark.parametrize("signature", ["", "t=100", "v1=00", "t=x,v1=00", "t=1,t=100,v1=00", "é"])
def test_what_is_no_signature_does_not_verify(signature):
    assert not verifies(signature, BODY, key="key", now=100)


def test_what_the_documents_tell_receivers_to_do_works():
    text = (ROOT / "docs" / "deliveries.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    told = {}
    exec(block, told)  # noqa: S102 - our own document
    now = int(time.time())
    signature = signature_of(BODY, at=now, keys=["new", "old"])
    assert told["is_ours"](signature, BODY, "new")
    assert told["is_ours"](signature, BODY, "old")
    assert not told["is_ours"](signature, BODY, "another")
    assert not told["is_ours"](signature, BODY + b" ", "new")
    assert not told["is_ours"](signature_of(BODY, at=now - 400, keys=["new"]), BODY, "new")
