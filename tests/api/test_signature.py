from __future__ import annotations

import hashlib
import hmac
import shutil
import subprocess
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.security.signature import (
    SignatureFault,
    canonical_request,
    is_signed_by,
    judge_timestamp,
    read_signature,
    sign,
)
from core.security.terminal_secrets import derive_secret

TERMINAL = UUID("6f0c7a0e-6a39-4c58-8f0b-0d3d5d1a7b11")
BODY = b'{"sorteoId":"x"}'


def canonical(**changes: object) -> bytes:
    parts: dict[str, object] = {
        "terminal": str(TERMINAL),
        "timestamp": "1763700000",
        "method": "POST",
        "target": "/api/v1/tickets?a=%20b",
        "idempotency_key": "key-0001",
        "body": BODY,
    }
    return canonical_request(**{**parts, **changes})  # type: ignore[arg-type] # a table of changes


def test_what_is_signed_is_seven_lines() -> None:
    assert canonical().decode().split("\n") == [
        "v1",
        str(TERMINAL),
        "1763700000",
        "POST",
        "/api/v1/tickets?a=%20b",
        "key-0001",
        hashlib.sha256(BODY).hexdigest(),
    ]
    assert canonical(idempotency_key=None) == canonical(idempotency_key="")


def test_the_secret_is_used_as_text() -> None:
    secret = derive_secret(b"m" * 32, TERMINAL, key_version=1, master_key_id="k1")
    expected = hmac.new(secret.encode("utf-8"), canonical(), "sha256").hexdigest()
    assert sign(secret, canonical()) == f"v1={expected}"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_makes_the_same_signature() -> None:
    secret = derive_secret(b"m" * 32, TERMINAL, key_version=1, master_key_id="k1")
    made = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", secret, "-r"], input=canonical(), capture_output=True, check=True
    )
    assert sign(secret, canonical()) == "v1=" + made.stdout.split()[0].decode()


@given(
    st.sampled_from(["terminal", "timestamp", "method", "target", "idempotency_key"]),
    st.text(st.characters(codec="ascii", exclude_characters="\n"), max_size=20),
)
def test_every_part_is_covered(part: str, value: str) -> None:
    changed = canonical(**{part: value})
    digest = read_signature(sign("secret", canonical()))
    assert isinstance(digest, bytes)
    assert is_signed_by(b"secret", changed, digest) == (changed == canonical())


@given(st.binary(max_size=50))
def test_every_byte_of_the_body_is_covered(body: bytes) -> None:
    digest = read_signature(sign("secret", canonical()))
    assert isinstance(digest, bytes)
    assert is_signed_by(b"secret", canonical(body=body), digest) == (body == BODY)


@given(st.text(max_size=80))
def test_whatever_is_sent_as_a_signature_is_read_or_refused(header: str) -> None:
    read = read_signature(header)
    assert read is SignatureFault.SIGNATURE_MALFORMED or (isinstance(read, bytes) and len(read) == 32)


@given(st.text(max_size=20))
def test_whatever_is_sent_as_a_timestamp_is_judged(header: str) -> None:
    judged = judge_timestamp(header, now_s=1_763_700_000.0, window_s=300)
    is_digits = 0 < len(header) <= 12 and all(character in "0123456789" for character in header)
    assert (judged is SignatureFault.TIMESTAMP_INVALID) == (not is_digits)


@pytest.mark.parametrize(("off_s", "passes"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_the_window_is_as_wide_as_it_says(off_s: int, *, passes: bool) -> None:
    judged = judge_timestamp(str(1_763_700_000 + off_s), now_s=1_763_700_000.0, window_s=300)
    assert judged is (None if passes else SignatureFault.TIMESTAMP_OUT_OF_WINDOW)
