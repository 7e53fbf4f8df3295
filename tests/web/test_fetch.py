"""The fetcher against a server that misbehaves: refused, bounded or cut, and always said."""

from __future__ import annotations

import gzip
import zlib

import pytest

from airoagent import Fetcher, FetchError, Limits, Response
from tests.fetching import PLAIN, forever, get, refused, run
from tests.loopback import Asked, Loopback, Send, answer, head, page


class TestAnswers:
    def test_a_page_comes_with_its_type_charset_and_addresses(self, server: Loopback) -> None:
        got = get(server, answer(200, PLAIN, Content_Type='Text/HTML; Charset="ISO-8859-2"'))
        assert got == Response(server.url("/x"), server.url("/x"), 200, "text/html", "iso-8859-2", PLAIN)

    def test_the_client_says_who_it_is_and_asks_for_what_it_can_unpack(self, server: Loopback) -> None:
        get(server, answer(200, PLAIN))
        headers = server.requests[-1].headers
        assert headers["user-agent"].startswith("airoagent/")
        assert headers["accept-encoding"] == "gzip, deflate"
        assert headers["host"] == server.host

    def test_the_fragment_is_not_sent(self, server: Loopback) -> None:
        server.routes["/x"] = answer(200, PLAIN)
        assert run(server, lambda fetch: fetch.fetch(server.url("/x#part"))).final_url == server.url("/x")
        assert server.paths() == ["/x"]

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 500, 501, 599])
    def test_an_error_status_is_an_error_and_is_not_tried_again(self, server: Loopback, status: int) -> None:
        error = refused(server, answer(status, b"sorry"))
        assert str(status) in error.message
        assert not error.retryable
        assert server.paths() == ["/x"]

    def test_an_empty_body_is_an_empty_answer(self, server: Loopback) -> None:
        assert get(server, answer(200, b"")).body == b""

    def test_cookies_are_not_kept(self, server: Loopback) -> None:
        server.routes["/x"] = answer(200, PLAIN, Set_Cookie="a=b; Path=/")

        async def twice(fetch: Fetcher) -> None:
            await fetch.fetch(server.url("/x"))
            await fetch.fetch(server.url("/x"))

        run(server, twice)
        assert all("cookie" not in asked.headers for asked in server.requests)

    def test_proxies_of_the_environment_are_not_used(self, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        assert get(server, answer(200, PLAIN)).body == PLAIN


class TestTypes:
    @pytest.mark.parametrize(
        "kind",
        [
            "text/html",
            "application/xhtml+xml",
            "text/plain",
            "text/markdown",
            "text/css",
            "application/json",
            "application/ld+json",
            "application/xml",
            "text/xml",
            "application/rss+xml",
            "application/atom+xml; charset=utf-8",
            "",
            "application/octet-stream",
        ],
    )
    def test_text_of_every_kind_is_read(self, server: Loopback, kind: str) -> None:
        assert get(server, answer(200, PLAIN, Content_Type=kind)).body == PLAIN

    @pytest.mark.parametrize(
        "kind",
        [
            "image/png",
            "image/svg+xml",
            "video/mp4",
            "audio/mpeg",
            "application/zip",
            "application/msword",
            "font/woff2",
            "application/pdf",
            "application/x-pdf",
            "application/javascript",
            "multipart/mixed",
            "nonsense",
            "model/gltf+json/x",
        ],
    )
    def test_any_other_type_is_refused_before_the_body_is_read(self, server: Loopback, kind: str) -> None:
        error = refused(server, forever(b"x" * 1000, head(200, Content_Type=kind)))
        assert "is not read" in error.message

    def test_a_pdf_is_named_in_the_sentence(self, server: Loopback) -> None:
        assert "PDF" in refused(server, answer(200, b"%PDF-1.7", Content_Type="application/pdf")).message
        assert "PDF" in refused(server, answer(200, b"%PDF-1.7 ...", Content_Type="text/html")).message

    @pytest.mark.parametrize("kind", ["text/html", "text/plain", "", "application/octet-stream", "application/json"])
    @pytest.mark.parametrize(
        "start",
        [
            b"%PDF-1.4\n",
            b"PK\x03\x04",
            b"\x1f\x8b\x08",
            b"\x89PNG\r\n\x1a\n",
            b"\xff\xd8\xff\xe0",
            b"GIF89a",
            b"\x7fELF",
            b"RIFF",
            b"text\x00with\x00zeros",
            b"\x00\x01\x02",
        ],
    )
    def test_bytes_that_are_no_text_are_refused_whatever_the_header_says(
        self, server: Loopback, kind: str, start: bytes
    ) -> None:
        refused(server, answer(200, start + PLAIN * 100, Content_Type=kind))

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            ("Otter".encode("utf-16"), "text/plain"),
            ("Otter".encode("utf-16-le"), "text/plain; charset=utf-16le"),
            ("Otter".encode("utf-32"), "text/plain; charset=utf-32"),
        ],
    )
    def test_wide_text_is_no_binary(self, server: Loopback, body: bytes, kind: str) -> None:
        assert get(server, answer(200, body, Content_Type=kind)).body == body

    def test_an_unknown_charset_does_not_keep_a_page_from_being_read(self, server: Loopback) -> None:
        assert get(server, answer(200, PLAIN, Content_Type="text/html; charset=x-klingon")).charset == ""


class TestBodies:
    def test_an_endless_body_is_cut_at_the_wire_cap(self, server: Loopback) -> None:
        got = get(server, forever(b"word " * 2000, head(200, Content_Type="text/plain")))
        assert got.truncated
        assert len(got.body) == 4 * 1024 * 1024

    def test_a_body_of_exactly_the_cap_says_it_may_be_cut(self, server: Loopback) -> None:
        limits = Limits(wire=1000)
        assert get(server, answer(200, b"x" * 1000), limits=limits).truncated
        assert not get(server, answer(200, b"x" * 999), limits=limits).truncated

    def test_a_body_shorter_than_its_length_is_kept_and_marked(self, server: Loopback) -> None:
        got = get(server, answer(200, PLAIN, Content_Length=100_000))
        assert (got.body, got.truncated) == (PLAIN, True)

    def test_a_body_that_breaks_off_before_it_began_is_an_error(self, server: Loopback) -> None:
        assert refused(server, answer(200, b"", Content_Length=100)).retryable

    def test_what_comes_after_the_length_is_not_read(self, server: Loopback) -> None:
        assert get(server, answer(200, PLAIN, Content_Length=6)).body == PLAIN[:6]

    @pytest.mark.parametrize("length", ["-1", "abc", "1, 2", "9" * 40])
    def test_a_length_that_is_no_number_is_an_error_or_a_cut(self, server: Loopback, length: str) -> None:
        try:
            got = get(server, answer(200, PLAIN, Content_Length=length))
        except FetchError as error:
            assert "broke off" in error.message
        else:
            assert got.truncated

    def test_chunks_are_put_together_and_a_missing_end_is_seen(self, server: Loopback) -> None:
        chunk = b"%x\r\n%s\r\n" % (len(PLAIN), PLAIN)
        start = head(200, Content_Type="text/plain", Transfer_Encoding="chunked")
        whole = get(server, lambda asked, send: send(start + chunk * 2 + b"0\r\n\r\n"))
        assert (whole.body, whole.truncated) == (PLAIN * 2, False)
        broken = get(server, lambda asked, send: send(start + chunk))
        assert (broken.body, broken.truncated) == (PLAIN, True)

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"\x00\x01\x02\x03",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"HTTP/1.1 abc\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\n\r\n",
            b"HTTP/1.1 99 X\r\n\r\n",
        ],
    )
    def test_what_is_no_http_is_an_error(self, server: Loopback, raw: bytes) -> None:
        assert refused(server, lambda asked, send: send(raw)).retryable

    def test_endless_headers_are_an_error(self, server: Loopback) -> None:
        refused(server, forever(b"X-Y: z\r\n" * 100, b"HTTP/1.1 200 OK\r\n"))


class TestEncodings:
    @pytest.mark.parametrize(
        ("packed", "encoding"),
        [
            (gzip.compress(PLAIN, mtime=0), "gzip"),
            (gzip.compress(PLAIN, mtime=0), "x-gzip"),
            (gzip.compress(PLAIN, mtime=0), "GZip"),
            (gzip.compress(PLAIN, mtime=0), "identity, gzip"),
            (gzip.compress(PLAIN[:9], mtime=0) + gzip.compress(PLAIN[9:], mtime=0), "gzip"),
            (gzip.compress(PLAIN, mtime=0) + b"\x00" * 40, "gzip"),
            (zlib.compress(PLAIN), "deflate"),
            (zlib.compress(PLAIN, wbits=-15), "deflate"),
            (PLAIN, "identity"),
            (PLAIN, ""),
        ],
    )
    def test_one_layer_of_gzip_or_deflate_is_undone(self, server: Loopback, packed: bytes, encoding: str) -> None:
        got = get(server, answer(200, packed, Content_Encoding=encoding))
        assert (got.body, got.truncated) == (PLAIN, False)

    @pytest.mark.parametrize(
        "encoding", ["br", "zstd", "compress", "gzip, gzip", "gzip, br", "deflate,gzip", "x, " * 100 + "gzip"]
    )
    def test_other_and_chained_encodings_are_refused(self, server: Loopback, encoding: str) -> None:
        assert "compressed as" in refused(server, answer(200, gzip.compress(PLAIN), Content_Encoding=encoding)).message

    def test_two_encoding_headers_are_a_chain(self, server: Loopback) -> None:
        start = (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\n"
        )
        refused(server, lambda asked, send: send(start + gzip.compress(gzip.compress(PLAIN))))

    def test_a_gzip_inside_a_gzip_is_refused_as_gzip(self, server: Loopback) -> None:
        twice = gzip.compress(gzip.compress(PLAIN))
        assert "gzip data" in refused(server, answer(200, twice, Content_Encoding="gzip")).message

    def test_packed_data_cut_short_is_kept_and_marked(self, server: Loopback) -> None:
        words = " ".join(str(number) for number in range(5000)).encode()
        got = get(server, answer(200, gzip.compress(words)[:-200], Content_Encoding="gzip"))
        assert got.truncated
        assert words.startswith(got.body)
        assert got.body

    def test_data_damaged_in_the_middle_is_kept_up_to_there(self, server: Loopback) -> None:
        words = " ".join(str(number) for number in range(200_000)).encode()
        packed = bytearray(gzip.compress(words))
        packed[len(packed) // 2 : len(packed) // 2 + 50] = b"\xff" * 50
        got = get(server, answer(200, bytes(packed), Content_Encoding="gzip"))
        assert got.truncated
        assert 0 < len(got.body) < len(words)

    @pytest.mark.parametrize("encoding", ["gzip", "deflate"])
    def test_data_that_is_not_packed_at_all_is_an_error(self, server: Loopback, encoding: str) -> None:
        assert "decompressed" in refused(server, answer(200, PLAIN, Content_Encoding=encoding)).message

    def test_many_empty_gzip_members_end(self, server: Loopback) -> None:
        got = get(server, answer(200, gzip.compress(b"x") * 20_000, Content_Encoding="gzip"))
        assert len(got.body) <= 256


class TestPages:
    def test_a_page_is_read(self, server: Loopback) -> None:
        server.routes["/x"] = page("<html lang=en><title>Otters</title><p>They sleep afloat.</p></html>")
        got = run(server, lambda fetch: fetch.page(server.url("/x")))
        assert (got.url, got.title, got.language) == (server.url("/x"), "Otters", "en")
        assert "They sleep afloat." in got.text

    @pytest.mark.parametrize(
        ("declared", "encoded"),
        [("iso-8859-2", "iso-8859-2"), ("utf-8", "utf-8"), ("", "utf-8"), ("windows-1251", "windows-1251")],
    )
    def test_the_charset_of_the_header_reaches_the_reader(self, server: Loopback, declared: str, encoded: str) -> None:
        text = "Ёжик спит." if encoded == "windows-1251" else "Příliš žluťoučký kůň."
        server.routes["/x"] = answer(
            200,
            f"<p>{text}</p>".encode(encoded),
            Content_Type=f"text/html; charset={declared}" if declared else "text/html",
        )
        assert text in run(server, lambda fetch: fetch.page(server.url("/x"))).text

    def test_a_wrong_charset_in_the_header_still_gives_text(self, server: Loopback) -> None:
        server.routes["/x"] = answer(200, "<p>Größe</p>".encode("latin-1"), Content_Type="text/html; charset=utf-8")
        assert "Gr" in run(server, lambda fetch: fetch.page(server.url("/x"))).text

    def test_a_page_without_a_type_is_read_by_its_bytes(self, server: Loopback) -> None:
        server.routes["/x"] = answer(200, b"<!doctype html><title>T</title><p>Hello</p>", Content_Type="")
        got = run(server, lambda fetch: fetch.page(server.url("/x")))
        assert (got.title, "Hello" in got.text) == ("T", True)
        server.routes["/x"] = answer(200, b"<html><title>T</title>", Content_Type="application/octet-stream")
        assert run(server, lambda fetch: fetch.page(server.url("/x"))).title == "T"
        for kind in ("html", "*/*", "application/x-download"):
            server.routes["/x"] = answer(200, b"<html><title>T</title>", Content_Type=kind)
            assert run(server, lambda fetch: fetch.page(server.url("/x"))).title == "T"

    def test_documents_are_asked_for_their_addresses(self, server: Loopback) -> None:
        class Folder:
            def read(self, url: str) -> tuple[bytes, str]:
                return f"# Otters\n\nfrom {url}".encode(), "text/markdown; charset=utf-8"

        got = run(server, lambda fetch: fetch.fetch("docs://library/otters.md"), documents=Folder())
        assert got.body == b"# Otters\n\nfrom docs://library/otters.md"
        assert (got.content_type, got.charset, got.status) == ("text/markdown", "utf-8", 200)

    def test_documents_without_a_folder_name_the_option(self, server: Loopback) -> None:
        with pytest.raises(FetchError) as caught:
            run(server, lambda fetch: fetch.page("docs://library/otters.md"))
        assert "--docs FOLDER" in caught.value.hint


class TestOddities:
    @pytest.mark.parametrize(
        "line",
        [
            "Strict-Transport-Security max-age=1",
            "Server : nginx",
            "X Powered By: me",
            "Content-Encoding: none",
            "Content-Encoding: utf-8",
            ": nothing",
            "X-City: M\0nchen",
        ],
    )
    def test_an_odd_header_line_does_not_keep_a_page_from_being_read(self, server: Loopback, line: str) -> None:
        start = f"HTTP/1.1 200 OK\r\n{line}\r\nContent-Length : {len(PLAIN)}\r\nContent-Type: text/plain\r\n\r\n"
        got = get(server, lambda asked, send: send(start.encode() + PLAIN))
        assert (got.body, got.content_type, got.truncated) == (PLAIN, "text/plain", False)

    def test_early_hints_before_the_answer_are_passed_over(self, server: Loopback) -> None:
        start = b"HTTP/1.1 103 Early Hints\r\nLink </a>\r\n\r\n" + head(
            200, Content_Type="text/plain", Content_Length=2
        )
        assert get(server, lambda asked, send: send(start + b"ab")).body == b"ab"

    def test_a_site_that_redirects_until_its_cookie_is_sent_is_read(self, server: Loopback) -> None:
        def route(asked: Asked, send: Send) -> None:
            if asked.headers.get("cookie") == "seen=1":
                send(head(200, Content_Type="text/plain", Content_Length=len(PLAIN)) + PLAIN)
            else:
                send(head(302, Location="/x", Set_Cookie="seen=1; Path=/; HttpOnly", Content_Length=0))

        assert get(server, route).body == PLAIN
        assert "cookie" not in server.requests[-2].headers

    def test_a_cookie_of_any_letters_is_sent_back(self, server: Loopback) -> None:
        def route(asked: Asked, send: Send) -> None:
            if "cookie" in asked.headers:
                send(head(200, Content_Type="text/plain", Content_Length=len(PLAIN)) + PLAIN)
            else:
                start = head(302, Location="/x", Set_Cookie="town=COOKIE; Path=/", Content_Length=0)
                send(start.replace(b"COOKIE", "Malmö".encode()))

        assert get(server, route).body == PLAIN
        assert server.requests[-1].headers["cookie"].encode("latin-1").decode() == "town=Malmö"

    def test_a_page_that_sends_its_reader_on_is_followed(self, server: Loopback) -> None:
        server.routes["/new"] = page("<p>The new page.</p>")
        got = get(server, page("<html><head><meta http-equiv=refresh content='0; url=/new'></head></html>"))
        assert got.final_url.endswith("/new") and b"The new page." in got.body
        got = get(server, answer(200, b"", Content_Type="text/html", Refresh="0; url=/new"))
        assert got.final_url.endswith("/new") and b"The new page." in got.body

    def test_a_page_that_refreshes_itself_is_read_once(self, server: Loopback) -> None:
        got = get(server, page("<html><head><meta http-equiv=refresh content='5; url=/x'></head>Score 3:1</html>"))
        assert b"Score" in got.body

    @pytest.mark.parametrize(
        ("status", "headers", "body", "who"),
        [
            (403, {"Cf_Mitigated": "challenge"}, "<title>Just a moment...</title>", "Cloudflare"),
            (403, {}, "<title>Just a moment...</title><script>window._cf_chl_opt={}</script>", "Cloudflare"),
            (503, {}, "<script src='/cdn-cgi/challenge-platform/h/b/x.js'></script>", "Cloudflare"),
            (403, {}, "<script src='https://ct.captcha-delivery.com/c.js'></script>", "DataDome"),
            (403, {}, "<div id='px-captcha'></div>", "PerimeterX"),
            (403, {}, "<iframe src='/_Incapsula_Resource?x=1'></iframe>", "Imperva"),
            (403, {}, "<h1>Access Denied</h1>https&#58;&#47;&#47;errors&#46;edgesuite&#46;net&#47;18", "Akamai"),
            (429, {}, "<div class='g-recaptcha'></div>", "A captcha"),
            (401, {}, "<TITLE> Access denied</TITLE>", "A check for robots"),
        ],
    )
    def test_a_guard_that_refuses_is_named(
        self, server: Loopback, status: int, headers: dict[str, str], body: str, who: str
    ) -> None:
        error = refused(server, answer(status, body.encode(), **headers))
        assert f": {who} keeps robots from this site" in error.message and len(server.paths()) == 1

    @pytest.mark.parametrize("body", [b"", b"<title>Members only</title><p>Please sign in.</p>"])
    def test_a_refusal_that_no_guard_shows_in_is_only_a_refusal(self, server: Loopback, body: bytes) -> None:
        assert refused(server, answer(403, body)).message.endswith("answers 403 Forbidden")

    @pytest.mark.parametrize("status", [403, 404])
    def test_a_refusal_in_another_compression_is_a_refusal(self, server: Loopback, status: int) -> None:
        packed = answer(status, b"\x0b\x02\x80", **{"Content-Encoding": "br"})
        assert f"answers {status} " in refused(server, packed).message
