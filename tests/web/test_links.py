"""Links are found in text as a reader sees them: in order, whole, and without what only surrounds them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airoagent import Evidence, SearchResult, Source, extract_links, links_of, results_output

# The text, then the links in it, separated by a space.
CASES: list[tuple[str, str]] = [
    # plain sentences
    ("http://a.example", "http://a.example"),
    ("https://a.example/", "https://a.example/"),
    ("See https://a.example/x.", "https://a.example/x"),
    ("See https://a.example/x, then go.", "https://a.example/x"),
    ("Is it https://a.example/x?", "https://a.example/x"),
    ("It is https://a.example/x!", "https://a.example/x"),
    ("It is https://a.example/x!!!", "https://a.example/x"),
    ("Here: https://a.example/x; there", "https://a.example/x"),
    ("https://a.example/x: a page", "https://a.example/x"),
    ("https://a.example/x... and more", "https://a.example/x"),
    ("https://a.example/x…", "https://a.example/x"),
    ("https://a.example/a.b.c", "https://a.example/a.b.c"),
    ("https://a.example/index.html.", "https://a.example/index.html"),
    ("https://a.example.", "https://a.example"),
    ("one https://a.example/1 two https://b.example/2", "https://a.example/1 https://b.example/2"),
    # names of files with spaces, in a list of links
    ("https://a.example/A b (1).pdf\nhttps://b.example", "https://a.example/A%20b%20(1).pdf https://b.example"),
    (
        "- https://a.example/b\n- https://a.example/v1.2/C d.docx",
        "https://a.example/b https://a.example/v1.2/C%20d.docx",
    ),
    ("https://a.example/x.pdf and y.pdf\nhttps://b.example", "https://a.example/x.pdf https://b.example"),
    ("see https://a.example/x in y.pdf\nhttps://b.example", "https://a.example/x https://b.example"),
    ("https://a.example/x see y.txt", "https://a.example/x"),
    (
        "https://a.example/1\nhttps://b.example/2\r\nhttps://c.example",
        "https://a.example/1 https://b.example/2 https://c.example",
    ),
    ("https://a.example/1\thttps://b.example/2", "https://a.example/1 https://b.example/2"),
    ("https://a.example https://a.example https://b.example", "https://a.example https://b.example"),
    ("https://b.example https://a.example https://b.example", "https://b.example https://a.example"),
    ("HTTPS://A.example/X", "https://A.example/X"),
    ("Http://a.example", "http://a.example"),
    # brackets
    ("(https://a.example/x)", "https://a.example/x"),
    ("(see https://a.example/x).", "https://a.example/x"),
    ("https://a.example/x_(y)", "https://a.example/x_(y)"),
    ("(https://a.example/x_(y))", "https://a.example/x_(y)"),
    ("https://a.example/x_(y)_z", "https://a.example/x_(y)_z"),
    ("https://a.example/((x))", "https://a.example/((x))"),
    ("[https://a.example/x]", "https://a.example/x"),
    ("https://a.example/?a[]=1&a[]=2", "https://a.example/?a[]=1&a[]=2"),
    ("https://a.example/?a[b]=1", "https://a.example/?a[b]=1"),
    ("{https://a.example/x}", "https://a.example/x"),
    ("https://a.example/x)y", "https://a.example/x"),
    ("https://a.example[1]", "https://a.example"),
    ("https://a.example(see below)", "https://a.example"),
    ("https://a.example/x (https://b.example/y)", "https://a.example/x https://b.example/y"),
    ("(https://a.example/x(https://b.example/y))", "https://a.example/x(https://b.example/y)"),
    ("[x](https://a.example/(a)(b))", "https://a.example/(a)(b)"),
    ("https://a.example/x([)]", "https://a.example/x"),
    # quotes
    ('"https://a.example/x"', "https://a.example/x"),
    ("'https://a.example/x'", "https://a.example/x"),
    ("`https://a.example/x`", "https://a.example/x"),
    ("“https://a.example/x”", "https://a.example/x"),
    ("‘https://a.example/x’", "https://a.example/x"),
    ("«https://a.example/x»", "https://a.example/x"),
    ("„https://a.example/x“", "https://a.example/x"),
    ("['https://a.example/1','https://b.example/2']", "https://a.example/1 https://b.example/2"),
    ('["https://a.example/1","https://b.example/2"]', "https://a.example/1 https://b.example/2"),
    ("https://a.example/it's", "https://a.example/it's"),
    ('{"url":"https://a.example/x","n":1}', "https://a.example/x"),
    ("{'url': 'https://a.example/x'}", "https://a.example/x"),
    # Markdown
    ("[text](https://a.example/x)", "https://a.example/x"),
    ('[text](https://a.example/x "title")', "https://a.example/x"),
    ("[text](<https://a.example/x>)", "https://a.example/x"),
    ("<https://a.example/x>", "https://a.example/x"),
    ("[1]: https://a.example/x", "https://a.example/x"),
    ("![alt](https://a.example/x.png)", "https://a.example/x.png"),
    ("[![b](https://a.example/b.svg)](https://b.example/)", "https://a.example/b.svg https://b.example/"),
    ("**https://a.example/x**", "https://a.example/x"),
    ("*https://a.example/x*", "https://a.example/x"),
    ("_https://a.example/x_", "https://a.example/x"),
    ("__https://a.example/x__", "https://a.example/x"),
    ("~~https://a.example/x~~", "https://a.example/x"),
    ("https://a.example/x_y_", "https://a.example/x_y_"),
    ("- https://a.example/x", "https://a.example/x"),
    ("1.https://a.example/x", "https://a.example/x"),
    ("| https://a.example/x | y |", "https://a.example/x"),
    ("|https://a.example/x|", "https://a.example/x"),
    (r"https://a.example/x\_y", "https://a.example/x_y"),
    (r"https://a.example/x\(y\)", "https://a.example/x(y)"),
    ("text <https://a.example/x>, more", "https://a.example/x"),
    # HTML and entities
    ('<a href="https://a.example/x">y</a>', "https://a.example/x"),
    ("<a href='https://a.example/x'>y</a>", "https://a.example/x"),
    ("<a href=https://a.example/x>y</a>", "https://a.example/x"),
    ("https://a.example/?a=1&amp;b=2", "https://a.example/?a=1&b=2"),
    ("https://a.example/?a=1&#38;b=2", "https://a.example/?a=1&b=2"),
    ("https://a.example/?a=1&#x26;b=2", "https://a.example/?a=1&b=2"),
    ("https://a.example/?a=1&b=2", "https://a.example/?a=1&b=2"),
    ("https://a.example/?a=1&copy=2", "https://a.example/?a=1&copy=2"),
    ("&lt;https://a.example/x&gt;", "https://a.example/x"),
    ("&quot;https://a.example/x&quot;", "https://a.example/x"),
    ("&#34;https://a.example/x&#34; y", "https://a.example/x"),
    ("&#39;https://a.example/x&#39; y", "https://a.example/x"),
    ("https://a.example/x&nbsp;y", "https://a.example/x"),
    ("url=https://a.example/x", "https://a.example/x"),
    ("url(https://a.example/x)", "https://a.example/x"),
    # escapes of JSON and code
    (r"https:\/\/a.example\/x", "https://a.example/x"),
    (r'{"u":"https:\/\/a.example\/x\/y"}', "https://a.example/x/y"),
    (r"https://a.example/x\nNext", "https://a.example/x"),
    (r"https://a.example/x\"", "https://a.example/x"),
    (r"https://a.example/?a=1\u0026b=2", "https://a.example/?a=1&b=2"),
    # commas and joined links
    ("https://a.example/?q=1,2", "https://a.example/?q=1,2"),
    ("https://a.example/1,https://b.example/2", "https://a.example/1 https://b.example/2"),
    ("https://a.example/1;https://b.example/2", "https://a.example/1 https://b.example/2"),
    ("https://a.example/1, https://b.example/2", "https://a.example/1 https://b.example/2"),
    ("https://a.example,b", "https://a.example"),
    ("https://w.example/web/2020/https://a.example/x", "https://w.example/web/2020/https://a.example/x"),
    ("https://a.example/?u=https://b.example/", "https://a.example/?u=https://b.example/"),
    ("http://https://a.example/x", "https://a.example/x"),
    ("[https://https://a.example&q", "https://a.example"),
    ("http://https://http://a.example=1", "http://a.example"),
    ("http://https&#58;//a.example,b", "https://a.example"),
    ("https://docs://lib/a,b.txt", "docs://lib/a,b.txt"),
    ("https://http://a.example/x", "http://a.example/x"),
    # hosts
    ("http://localhost:8080/x", "http://localhost:8080/x"),
    ("http://a.example:8080", "http://a.example:8080"),
    ("http://192.0.2.1/x", "http://192.0.2.1/x"),
    ("http://[2001:db8::1]/x", "http://[2001:db8::1]/x"),
    ("http://[2001:db8::1]:8080/x.", "http://[2001:db8::1]:8080/x"),
    ("(http://[::1])", "http://[::1]"),
    ("http://[::1", ""),
    ("https://bücher.example/ä", "https://bücher.example/ä"),
    ("https://例え.example/テスト", "https://例え.example/テスト"),
    ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
    ("https://a-b.c-d.example/", "https://a-b.c-d.example/"),
    ("https://user:pass@a.example/x", "https://user:pass@a.example/x"),
    ("https://a.example?q=1#f", "https://a.example?q=1#f"),
    ("https://a.example/#/route/x", "https://a.example/#/route/x"),
    ("https://a.example/~joe/", "https://a.example/~joe/"),
    ("https://a.example/%E4%B8%AD", "https://a.example/%E4%B8%AD"),
    ("https://a.example/a+b=c&d@e$f", "https://a.example/a+b=c&d@e$f"),
    # neighbours in Chinese, Japanese, Korean
    ("请看https://a.example/x。谢谢", "https://a.example/x"),
    ("请看https://a.example，谢谢", "https://a.example"),
    ("「https://a.example/x」を見て", "https://a.example/x"),
    ("（https://a.example/x）", "https://a.example/x"),
    ("【https://a.example/x】", "https://a.example/x"),
    ("《https://a.example/x》", "https://a.example/x"),
    ("https://a.example/x、https://b.example/y", "https://a.example/x https://b.example/y"),
    ("https://a.example/x！", "https://a.example/x"),
    ("https://a.example/x？", "https://a.example/x"),
    ("https://a.example：说明", "https://a.example"),
    ("https://a.example是网站", "https://a.example"),
    ("https://a.example에서", "https://a.example"),
    ("https://a.example:8080を", "https://a.example:8080"),
    ("https://zh.example/wiki/维基百科", "https://zh.example/wiki/维基百科"),
    ("https://a.example/x\u3000y", "https://a.example/x"),
    # invisible characters
    ("https://a.example/x\u200by", "https://a.example/x"),
    ("\u200bhttps://a.example/x\u200b", "https://a.example/x"),
    ("\ufeffhttps://a.example/x", "https://a.example/x"),
    ("https://a.example/x\u00a0y", "https://a.example/x"),
    ("https://a.example/x\u202ey", "https://a.example/x"),
    ("https://a.example/x\u2028y", "https://a.example/x"),
    ("https://a.example/x\x00y", "https://a.example/x"),
    ("https://a.example/\u00adx", "https://a.example/"),
    ("https://a.example/x — y", "https://a.example/x"),
    ("https://a.example/x—y", "https://a.example/x"),
    # documents
    ("docs://library/otters.html", "docs://library/otters.html"),
    ("(docs://library/a/b%20c.html).", "docs://library/a/b%20c.html"),
    ("1. T\ndocs://library/x.md\nsnippet", "docs://library/x.md"),
    ("DOCS://library/X.md", "docs://library/X.md"),
    # no links
    ("", ""),
    ("no links here", ""),
    ("http://", ""),
    ("https://.", ""),
    ("https://...", ""),
    ("https:// a.example", ""),
    ("https://?q", ""),
    ("https:///x", ""),
    ("http://-", ""),
    ("http:/a.example", ""),
    ("http:a.example", ""),
    ("ftp://a.example/x", ""),
    ("https://a.example/a\\nhttps://b.example/", "https://a.example/a https://b.example/"),
    ("see https://a.example/x?q=P1|0||P2|0 now", "https://a.example/x?q=P1|0||P2|0"),
    ("|https://a.example/x?y=1|2|", "https://a.example/x?y=1"),
    ("see (www.a.example/x) or me@www.a.example", "http://www.a.example/x"),
    ("mailto:x@a.example", ""),
    ("xhttp://a.example", ""),
    ("git+https://a.example/x.git", ""),
    ("javascript:alert(1)", ""),
    ("file:///etc/passwd", ""),
    ("HyperlinkExtractor[:evidence0:]", ""),
]


@pytest.mark.parametrize(("text", "links"), CASES)
def test_links_end_where_the_text_around_them_begins(text: str, links: str) -> None:
    assert extract_links(text) == tuple(links.split())


def test_there_are_over_100_cases() -> None:
    assert len(CASES) > 100


@pytest.mark.parametrize(
    "link", ["https://a.example/x_(y)?a=1,2&b=c#d", "http://[2001:db8::1]:80/x", "docs://d/x%20y.md"]
)
@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "({})",
        "<{}>",
        '"{}"',
        "'{}'",
        "`{}`",
        "**{}**",
        "[t]({})",
        "{}.",
        "{},",
        "x {} y",
        "({}).",
        "“{}”",
        "({}),",
        "看{}。",
    ],
)
def test_a_link_is_the_same_whatever_stands_around_it(link: str, around: str) -> None:
    assert extract_links(around.format(link)) == (link,)


@given(st.text(alphabet=st.sampled_from("htps:/.a[](){}<>\"'`*_|\\&;,#u0026 \n。（é中\u200b"), max_size=300))
def test_any_text_gives_links_without_spaces_and_in_order(text: str) -> None:
    links = extract_links(text)
    assert len(set(links)) == len(links)
    assert all(link == link.strip() and " " not in link and link.startswith(("http://", "https://")) for link in links)


@given(st.lists(st.integers(0, 99), max_size=20))
def test_lines_of_links_come_back_in_order_of_first_appearance(numbers: list[int]) -> None:
    links = [f"https://a.example/{number}" for number in numbers]
    assert extract_links("\n".join(links)) == tuple(dict.fromkeys(links))


@pytest.mark.parametrize(
    "unit",
    [
        "http://",
        "http://a",
        "(http://a.b/(",
        "http://a.b/[",
        "http://a,",
        "&amp;",
        "http://a/&lt",
        "http:\\/\\/",
        "https://a.b/ ",
        ",http://a",
    ],
)
def test_time_grows_in_proportion_to_the_text(unit: str) -> None:
    """Compares a text with one eight times as long in the same process; quadratic time would be 64 times."""

    def cost(size: int) -> float:
        text = "http://a.b/" + unit * (size // len(unit))
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            extract_links(text)
            best = min(best, time.process_time() - start)
        return best

    assert cost(400_000) < 24 * max(cost(50_000), 0.002)


def test_a_link_longer_than_any_address_is_left_out_and_what_follows_is_found() -> None:
    text = "https://a.example/" + "x" * 9000 + " https://b.example/"
    assert extract_links(text) == ("https://b.example/",)


class TestLinksOf:
    results = results_output(
        [
            SearchResult("One", "https://a.example/x?a=1.", "Talks about https://other.example/ too"),
            SearchResult("Two", "https://b.example/(", ""),
        ],
        "q",
    )

    def test_search_results_give_exactly_their_addresses(self) -> None:
        found = Evidence("evidence0", "DuckDuckGo", self.results.text, self.results.sources)
        assert links_of((found,)) == ("https://a.example/x?a=1.", "https://b.example/(")

    def test_literal_text_and_evidence_are_taken_in_order(self) -> None:
        found = Evidence("evidence0", "T", "https://c.example/ and https://a.example/")
        assert links_of(("https://a.example/\n", found, " https://d.example")) == (
            "https://a.example/",
            "https://c.example/",
            "https://d.example",
        )

    def test_a_page_gives_the_links_in_it_and_not_its_own_address(self) -> None:
        text = "https://a.example/\nTitle\n\nBody\n\nLinks:\nhttps://a.example/next"
        page = Evidence("evidence0", "TextScraper", text, (Source("https://a.example/", "Title", start=19, end=30),))
        assert links_of((page,)) == ("https://a.example/next",)

    def test_an_answer_without_links_gives_the_sources_it_cites(self) -> None:
        answer = Evidence("evidence0", "KnowledgeModel", "Blue.", (Source("https://a.example/x", "X"),))
        assert links_of((answer,)) == ("https://a.example/x",)

    @pytest.mark.parametrize(
        "text", ["https://a.example/Who?", "https://a.example/Yahoo!", "https://a.example/x)", "docs://d/x!.md"]
    )
    def test_clean_lines_are_taken_as_they_stand(self, text: str) -> None:
        assert links_of((f"{text}\n\n  https://b.example/ \n",), clean_lines=True) == (text, "https://b.example/")

    @pytest.mark.parametrize(
        "text", ["see https://a.example/x", "https://a.example/x,", "<https://a.example/x>", "- https://a.example/x"]
    )
    def test_lines_that_are_not_clean_are_searched_for_links(self, text: str) -> None:
        assert links_of((text,), clean_lines=True) == ("https://a.example/x",)

    def test_nothing_gives_nothing(self) -> None:
        assert links_of(()) == links_of(("",)) == links_of((Evidence("evidence0", "T", "none"),)) == ()
