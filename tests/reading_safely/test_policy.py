"""Which locations a reference may lead to: the rules, without any I/O."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from virtualizarr.errors import ForbiddenReferenceError
from virtualizarr.source import policy as policies
from virtualizarr.source.access import Access
from virtualizarr.source.policy import IN_MEMORY, ReferencePolicy, is_internal

KNOWN = {
    "data.org": ["8.8.8.8"],
    "any.org": ["2001:4860:4860::8888", "8.8.8.8"],
    "a.b.c": ["8.8.8.8"],
    "8.8.8.8": ["8.8.8.8"],
    "rebound.org": ["8.8.8.8", "127.0.0.1"],
    "meta.org": ["169.254.169.254"],
    "meta6.org": ["fd00:ec2::254"],
    "mapped.org": ["::ffff:10.0.0.1"],
}


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A name service of our own; the names that it was asked for."""
    names: list[str] = []

    def look_up(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        names.append(host)
        if host not in KNOWN:
            raise socket.gaierror("unknown")
        return [(0, 0, 0, "", (address, 0)) for address in KNOWN[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    policies.addresses_of.cache_clear()
    yield names
    policies.addresses_of.cache_clear()


WEB = "https://data.org/refs/all.json"
DISK = "file:///home/me/all.json"
BUCKET = "s3://mine/all.json"


def allows(policy: ReferencePolicy, url: str, referrer: str | None) -> bool:
    try:
        policy.check(url, referrer)
    except ForbiddenReferenceError:
        return False
    return True


@pytest.mark.parametrize(
    ("referrer", "url", "expected"),
    [
        (WEB, "https://data.org/files/a.nc", True),
        (WEB, "https://data.org:443/files/a.nc", True),
        ("https://data.org:443/all.json", "https://data.org/a.nc", True),
        (WEB, "https://DATA.org/files/a.nc", True),
        (WEB, "https://data.org:8080/files/a.nc", False),
        (WEB, "http://data.org/files/a.nc", False),
        (WEB, "https://data.org.evil.org/a.nc", False),
        (WEB, "https://other.org/a.nc", False),
        (WEB, "file:///etc/passwd", False),
        (WEB, "/etc/passwd", False),
        (WEB, "relative.nc", False),
        (WEB, "s3://mine/a.nc", False),
        (WEB, "http://127.0.0.1/a.nc", False),
        (WEB, "http://169.254.169.254/latest/meta-data/", False),
        (WEB, "https://data.org/files/../../a.nc", False),
        (WEB, "https://data.org/files/%2e%2e/a.nc", False),
        (WEB, "https://data.org/files/..%5c..%5ca.nc", False),
        (WEB, "https://data.org@evil.org/a.nc", False),
        (WEB, "memory://a/b", False),
        (BUCKET, "s3://mine/deep/a.nc", True),
        (BUCKET, "s3a://mine/deep/a.nc", True),
        (BUCKET, "s3://mine-too/a.nc", False),
        (BUCKET, "gs://mine/a.nc", False),
        (BUCKET, "file:///etc/passwd", False),
        (BUCKET, "s3://mine/../yours/a.nc", False),
        (DISK, "file:///data/a.nc", True),
        (DISK, "/data/a.nc", True),
        (DISK, "s3://mine/a.nc", False),
        (DISK, "https://data.org/a.nc", False),
        (DISK, "http://localhost:8000/a.nc", False),
        (DISK, "http://[::1]/a.nc", False),
        (IN_MEMORY, "file:///data/a.nc", True),
        (IN_MEMORY, "s3://mine/a.nc", False),
        ("http://127.0.0.1:80/all.json", "http://127.0.0.1/a.nc", True),
        ("http://127.0.0.1:8000/all.json", "http://127.0.0.1:9000/a.nc", False),
        ("memory://a/all.json", "memory://b/a.nc", True),
        ("memory://a/all.json", "file:///etc/passwd", False),
        (None, "http://127.0.0.1/a.nc", True),
        (None, "file:///etc/passwd", True),
    ],
)
def test_by_default_the_file_that_names_decides(
    referrer: str | None, url: str, expected: bool
) -> None:
    assert allows(ReferencePolicy(), url, referrer) is expected


@pytest.mark.parametrize(
    ("allowed", "url", "expected"),
    [
        ("s3://bucket", "s3://bucket/a.nc", True),
        ("s3://bucket/", "s3://bucket/a.nc", True),
        ("s3://bucket", "s3://bucket-evil/a.nc", False),
        ("s3://bucket/good", "s3://bucket/good/a.nc", True),
        ("s3://bucket/good", "s3://bucket/goodness/a.nc", False),
        ("s3://bucket/good", "s3://bucket/good/../bad/a.nc", False),
        (["https://a.org", "https://b.org/x"], "https://b.org/x/1.nc", True),
        (["https://a.org:443/", "https://b.org/x"], "https://a.org/1.nc", True),
        ("https://a.org", "https://a.org:8443/1.nc", False),
        ("https://", "https://any.org/1.nc", True),
        ("https:", "http://any.org/1.nc", False),
        ("http://", "http://127.0.0.1/1.nc", False),
        ("http://", "http://169.254.169.254/latest", False),
        ("http://", "http://metadata.google.internal/", False),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000/1.nc", True),
        ("s3://", "s3://any/1.nc", True),
        ("file://", "file:///data/1.nc", True),
        (Path("/data"), "file:///data/1.nc", True),
        (Path("/data"), "file:///database/1.nc", False),
        ("/data", "file:///data/../etc/passwd", False),
        ("all", "file:///etc/passwd", True),
        ("all", "http://127.0.0.1/1.nc", True),
        ([], "s3://bucket/a.nc", False),
    ],
)
def test_what_the_reader_allows(allowed: object, url: str, expected: bool) -> None:
    policy = ReferencePolicy.of(allowed)  # type: ignore[arg-type]
    assert allows(policy, url, WEB) is expected
    assert pickle.loads(pickle.dumps(policy)) == policy


def test_storage_options_speak_of_the_buckets_that_a_local_file_names() -> None:
    policy = Access.of(storage_options={"skip_signature": True}).policy
    assert allows(policy, "s3://archive/a.nc", DISK)
    assert allows(policy, "s3://archive/a.nc", IN_MEMORY)
    assert not allows(policy, "s3://archive/a.nc", WEB)
    assert not allows(policy, "s3://archive/a.nc", BUCKET)
    assert not allows(policy, "https://archive.org/a.nc", DISK)
    assert not allows(Access.of(storage_options={}).policy, "s3://archive/a.nc", DISK)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:80",
        "localhost.",
        "a.localhost",
        "127.0.0.1",
        "127.1:9000",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::1]:80",
        "[::ffff:127.0.0.1]",
        "[fe80::1%25eth0]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "192.168.1.1:8080",
        "172.16.0.9",
        "metadata.google.internal",
        "instance-data",
        "",
    ],
)
def test_addresses_of_this_machine_and_its_network(host: str) -> None:
    assert is_internal(host)
    assert not allows(ReferencePolicy.of("http://"), f"http://{host}/x", WEB)


@pytest.mark.parametrize("host", ["data.org", "8.8.8.8", "[2001:4860:4860::8888]", "a.b.c:80"])
def test_addresses_elsewhere(host: str) -> None:
    assert not is_internal(host)
    assert allows(ReferencePolicy.of("http://"), f"http://{host}/x", WEB)


@pytest.mark.parametrize("host", ["rebound.org", "meta.org", "meta6.org:8443", "mapped.org"])
def test_names_that_lead_to_internal_addresses(host: str, asked: list[str]) -> None:
    """They are looked up where nobody but the file of references named them."""
    with pytest.raises(ForbiddenReferenceError, match="this machine or its network"):
        ReferencePolicy.of("https://").check(f"https://{host}/x", WEB)
    assert asked == [host.partition(":")[0]]
    ReferencePolicy.of(f"https://{host}").check(f"https://{host}/x", WEB)
    ReferencePolicy.of("all").check(f"https://{host}/x", WEB)
    assert len(asked) == 1


def test_the_refusal_says_what_to_pass() -> None:
    with pytest.raises(ForbiddenReferenceError) as caught:
        ReferencePolicy().check("s3://archive/2020/a.nc", DISK)
    text = str(caught.value)
    assert text.startswith("s3://archive/2020/a.nc: ")
    assert DISK in text
    assert "allowed_locations=['s3://archive/']" in text
    ReferencePolicy.of(["s3://archive/"]).check("s3://archive/2020/a.nc", DISK)


def test_no_secret_of_a_refused_reference_is_told() -> None:
    for url in ("https://user:canary@evil.org/a", "https://evil.org/a?X-Amz-Signature=canary"):
        with pytest.raises(ForbiddenReferenceError) as caught:
            ReferencePolicy().check(url, WEB)
        assert "canary" not in str(caught.value)
        assert "canary" not in repr(caught.value)
