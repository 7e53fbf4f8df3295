"""Certificates are checked against the name that was asked for, whatever address it leads to."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from airoagent import Fetcher, FetchError
from tests.loopback import head

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="the certificate of the test is made with openssl")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for opened.example and its key, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    key, made = folder / "key.pem", folder / "cert.pem"
    command = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=opened.example", "-addext", "subjectAltName=DNS:opened.example"]
    subprocess.run(
        [str(OPENSSL), *command, *names, "-keyout", str(key), "-out", str(made)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return made, key


@pytest.fixture
def port(certificate: tuple[Path, Path]) -> Iterator[int]:
    """A server that speaks TLS with that certificate and answers every request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    stop = threading.Event()

    def serve(listener: socket.socket) -> None:
        while not stop.is_set():
            raw, _ = listener.accept()
            with raw:
                try:
                    with context.wrap_socket(raw, server_side=True) as link:
                        link.recv(65536)
                        link.sendall(head(200, Content_Type="text/plain", Content_Length=2) + b"ok")
                except (ssl.SSLError, OSError):
                    # A client that does not trust us hangs up in the middle: that is what is tested.
                    continue

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        stop.set()
        socket.create_connection(listener.getsockname()).close()
        thread.join(10)


async def nearby(host: str, port: int) -> Sequence[str]:
    """Every name is this machine."""
    return ["127.0.0.1"]


def fetch(*urls: str) -> list[bytes | FetchError]:
    """What one fetcher gets at these addresses, one after the other."""

    async def main() -> list[bytes | FetchError]:
        got: list[bytes | FetchError] = []
        async with Fetcher(
            allow_private=["opened.example", "other.example"], resolver=nearby, robots=False, timeout=10.0
        ) as fetcher:
            for url in urls:
                try:
                    got.append((await fetcher.fetch(url)).body)
                except FetchError as error:
                    got.append(error)
        return got

    return asyncio.run(main())


def test_a_certificate_nobody_vouches_for_is_refused_and_not_tried_again(port: int) -> None:
    (error,) = fetch(f"https://opened.example:{port}/")
    assert isinstance(error, FetchError)
    assert "no valid certificate" in error.message
    assert not error.retryable


def test_a_trusted_certificate_serves_its_own_name_and_no_other_at_the_same_address(
    port: int, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    own, other = fetch(f"https://opened.example:{port}/", f"https://other.example:{port}/")
    assert own == b"ok"
    assert isinstance(other, FetchError)
    assert "no valid certificate" in other.message


def test_certificates_that_are_not_there_are_told(port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    (error,) = fetch(f"https://opened.example:{port}/")
    assert isinstance(error, FetchError)
    assert "certificates cannot be read" in error.message and "SSL_CERT_FILE" in error.hint


def test_a_server_without_tls_is_an_error(port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def speak() -> None:
            with contextlib.suppress(OSError):  # the client hangs up, and the socket closes when the test ends
                for _ in range(3):
                    raw, _ = plain.accept()
                    with raw:
                        raw.recv(65536)
                        raw.sendall(head(200))

        threading.Thread(target=speak, daemon=True).start()
        (error,) = fetch(f"https://opened.example:{plain.getsockname()[1]}/")
    assert isinstance(error, FetchError)
    assert "no secure connection" in error.message
