"""Pages as sites really write them: numbers, tables, lists, parts of articles, and text that is not in the body."""

from __future__ import annotations

import json

import pytest

from airoagent.documents.read_page import Page, read_page

PROSE = "The ferry to the island runs every hour from the old stone pier and takes bicycles for a small fee. " * 4
URL = "https://a.example/b/page.html"


def read(html: str | bytes, content_type: str = "text/html; charset=utf-8") -> Page:
    return read_page(html.encode() if isinstance(html, str) else html, content_type, URL)


def article(part: str) -> str:
    return (
        f"<html><head><title>Ferry</title></head><body><article><p>{PROSE}</p>{part}<p>{PROSE}</p></article>"
        "</body></html>"
    )


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("<p>10<sup>24</sup> stars</p>", "10^24 stars"),
        ("<p>2 × 10<sup>-6</sup> m</p>", "2 × 10^-6 m"),
        ("<p>9 km<sup>2</sup> and (a+b)<sup>n</sup></p>", "9 km^2 and (a+b)^n"),
        ("<p>the 1<sup>st</sup> of May</p>", "the 1st of May"),
        ("<p>built in 1908<sup><a href='#n3'>3</a></sup> of stone</p>", "built in 1908 of stone"),
        ("<p>as Smith<sup>2</sup> says</p>", "as Smith2 says"),
        ("<p>half: <math><mfrac><mn>1</mn><mn>2</mn></mfrac></math></p>", "half: 1/2"),
        (
            "<p><math><mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><msup><mi>c</mi><mn>2</mn></msup></mfrac></math></p>",
            "(a+b)/(c^2)",
        ),
        ("<ol><li>Open</li><li>Turn</li></ol>", "1. Open\n2. Turn"),
        ("<ol start=7><li>Open<ul><li>left</li></ul></li><li>Turn</li></ol>", "7. Open\n  - left\n8. Turn"),
        ("<ol><li value=100>Coffee</li><li>Tea</li></ol>", "100. Coffee\n101. Tea"),
        ("<ol reversed><li>Third</li><li>Second</li></ol>", "2. Third\n1. Second"),
        ("<ol start=x><li value=y>One</li></ol>", "1. One"),
        (
            "<table><tr><th>Month<th>Bonus<th>Fare</tr><tr><td>January<td rowspan=2>50<td>100</tr>"
            "<tr><td>February<td>80</tr></table>",
            "Month | Bonus | Fare\nJanuary | 50 | 100\nFebruary | 50 | 80",
        ),
        (
            "<table><tr><th rowspan=2>Route<th colspan=2>Fare</tr><tr><th>Adult<th>Child</tr>"
            "<tr><td>North<td>9<td>4</tr></table>",
            "Route | Fare\nRoute | Adult | Child\nNorth | 9 | 4",
        ),
        (
            "<table><tr><th colspan=2>Adults<th>Child</tr><tr><td>1<td>2<td>3</tr></table>",
            "Adults |  | Child\n1 | 2 | 3",
        ),
        (
            "<p>It is <sup>1</sup>⁄<sub>2</sub> of it, or 1<sup>3</sup>/<sub>4</sub> cups</p>",
            "It is 1/2 of it, or 1 3/4 cups",
        ),
        ("<p><math><msqrt><mn>2</mn></msqrt></math></p>", "√(2)"),
        ("<ol type=a><li>Open</li><li>Turn</li></ol>", "a. Open\nb. Turn"),
        ("<ol type=I start=4><li>Open</li><li>Turn</li></ol>", "IV. Open\nV. Turn"),
        (
            "<table><tr><th>Day<th>Fare</tr><tr><td rowspan=0>Mon<td>9</tr><tr><td>4</tr><tr><td>2</tr></table>",
            "Day | Fare\nMon | 9\nMon | 4\nMon | 2",
        ),
        (
            "<p>We teach <span>Java</span><span>Script</span> and <b>Git</b><b>Hub</b></p>",
            "We teach JavaScript and GitHub",
        ),
        ("<h2><span>Java</span><span>Script</span></h2>", "JavaScript"),
        ("<p><span class=name>Ann</span><span class=role>Editor</span></p>", "Ann Editor"),
        ("<div><span>Author</span><span>Jane Doe</span></div>", "Author Jane Doe"),
        ("<p>It is open.</p>", "It is open."),
        ("<div><span>May</span><span>5</span><span>, 2024</span></div>", "May 5, 2024"),
        ("<div><span>By</span><span>Anna Berg</span><time>12 May</time></div>", "By Anna Berg 12 May"),
        ("<p><strong>Sold out.</strong><em>Try later</em></p>", "Sold out. Try later"),
        ("<p><b>Price:</b><span>From 12</span><span>euros</span></p>", "Price: From 12 euros"),
        ("<p><i>North</i><a href=/e>East</a></p>", "North East"),
        ("<table><tr><td><span>12</span><span>km</span><td><b>North</b><i>East</i></table>", "12 km | North East"),
        ("<p><b>D</b><b>eep</b> and <i>un</i><b>kn</b><i>own</i></p>", "Deep and unknown"),
        ("<p><span>5</span><span>th</span> of May, <b>i</b><b>Phone</b></p>", "5th of May, iPhone"),
        ("<p><b>H</b><sub>2</sub><b>O</b>, <b>CO</b><sub>2</sub></p>", "H2O, CO2"),
        ("<p><code><b>get</b><i>Name</i><i>2</i></code> it</p>", "getName2 it"),
        ("<pre><b>def</b><i>Name</i><i>2</i></pre>", "defName2"),
        ("<p><b>2024</b><b>年</b><b>5</b><b>月</b></p>", "2024年5月"),
        ("<form><h2>Fees</h2><p>The fee is 4 euros.</p><input></form>", "Fees\n\nThe fee is 4 euros."),
    ],
)
def test_numbers_tables_and_lists_keep_their_meaning(part: str, text: str) -> None:
    assert f"\n\n{text}\n\n" in read(article(part)).text


def test_cells_that_reach_far_take_no_more_room_than_a_page() -> None:
    cells = "<td rowspan=60000 colspan=900>wide</td>" * 200
    assert len(read(article(f"<table><tr>{cells}</tr>{'<tr></tr>' * 5000}</table>")).text) < 200_000


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            f"<header><h1>Strike ends</h1><p>The strike ended on Tuesday.</p></header><article>{f'<p>{PROSE}</p>' * 3}"
            "</article>",
            "Strike ends\n\nThe strike ended on Tuesday.",
        ),
        (
            f"<article>{f'<p>{PROSE}</p>' * 2}</article><article><h2>More</h2><p>It opened in 1931.</p><p>{PROSE}</p>"
            "</article>",
            "It opened in 1931.",
        ),
        (
            f"<article><h1>H</h1><p>{PROSE}</p><footer><p>Correction: the pier was rebuilt in 1906, not 1908.</p>"
            "</footer></article>",
            "rebuilt in 1906",
        ),
        (
            f"<article><p>{PROSE}</p><div class=box><h3>Related</h3><ul><li><a href=/x>Boats of the north coast</a>"
            f"</ul></div><p>{PROSE}</p><p>The last word is theirs, the keepers say.</p></article>",
            "The last word is theirs",
        ),
    ],
)
def test_parts_of_an_article_are_kept(body: str, words: str) -> None:
    found = read(f"<html><head><title>Ferry</title></head><body>{body}</body></html>").text
    assert words in found and PROSE.strip() in found


@pytest.mark.parametrize(
    "start",
    [
        '<noscript><div id="nojs"></noscript>',
        "<noscript>",
        "<!-- <noscript> --><noscript><p>Turn scripts on</p></noscript>",
        "<script>var a = '<noscript>'</script><noscript><div></noscript >",
    ],
)
def test_an_element_left_open_in_noscript_does_not_take_the_page(start: str) -> None:
    found = read(f"<html><body>{start}<div><p>Eleven cubs.</p></div></body></html>").text
    assert "Eleven cubs." in found and "Turn" not in found


@pytest.mark.parametrize(
    ("head", "urls"),
    [
        ("<meta http-equiv=refresh content='0; url=/new.html'>", ["https://a.example/new.html"]),
        ("<meta content='0;URL=\"x.html\"' http-equiv='Refresh'>", ["https://a.example/b/x.html"]),
        ("<meta http-equiv=refresh content='0; /new.html'>", ["https://a.example/new.html"]),
        ("<meta http-equiv=refresh content='30'>", []),
        ("<meta http-equiv=refresh content='600; url=/later'>", []),
        (
            "<frameset><frame src=nav.html><noframes><body>None</body></noframes></frameset>",
            ["https://a.example/b/nav.html"],
        ),
    ],
)
def test_where_a_page_without_text_leads_is_a_link(head: str, urls: list[str]) -> None:
    found = read(f"<html><head><title>F</title>{head}</head></html>")
    assert ([link.url for link in found.links], found.text) == (urls, "")


def test_spaces_in_the_addresses_of_links_are_encoded() -> None:
    found = read("<p><a href='Full Timetable.pdf'>all</a> <a href='x%2Fy%26z'>b</a></p>")
    assert [link.url for link in found.links] == [
        "https://a.example/b/Full%20Timetable.pdf",
        "https://a.example/b/x%2Fy%26z",
    ]


def test_where_the_body_is_empty_the_article_of_the_json_ld_is_read() -> None:
    record = {"@graph": [{"@type": "Person"}, {"@type": "NewsArticle", "articleBody": f"<p>{PROSE}</p>"}]}
    start = '<script type="application/ld+json">'
    script = f"{start}{json.dumps(record)}</script>{start}{{</script>"
    assert (
        read(f"<html><head><title>Ferry</title>{script}</head><body><div id=app></div></body></html>").text
        == PROSE.strip()
    )
    assert read(f"<html><head>{script}</head><body><p>{PROSE.upper()}</p></body></html>").text == PROSE.upper().strip()


def test_the_page_of_a_guard_is_not_the_text_of_the_site() -> None:
    guard = "<html><head><title>Just a moment...</title></head><body><p>Enable JavaScript and cookies</p></body></html>"
    assert read(guard).text == ""
    assert (
        PROSE.strip()
        in read(f"<html><head><title>Just a moment...</title></head><body><p>{PROSE * 3}</p></body></html>").text
    )


def test_html_written_as_text_in_a_feed_is_read() -> None:
    text = "&lt;p&gt;It &lt;b&gt;ended&lt;/b&gt;, 1 &lt; 2.&lt;/p&gt;"
    feed = f"<rss><channel><item><description>{text}</description></item></channel></rss>"
    assert read(feed, "application/rss+xml").text == "description: It ended, 1 < 2."


def test_two_type_headers_are_read_as_one() -> None:
    assert read("<html><p>Otters.</p></html>", "text/html, text/html; charset=utf-8").text == "Otters."


def test_a_cyrillic_page_that_declares_no_charset_is_read() -> None:
    text = "Паром ходит каждый час от старого причала и берёт велосипеды."
    assert read(f"<html><body><p>{text}</p></body></html>".encode("cp1251"), "text/html").text == text
    assert read("<p>Die Fähre fährt für Gäste.</p>".encode("cp1252"), "text/html").text == "Die Fähre fährt für Gäste."


APP = "<html><head><title>Ferry</title>{head}</head><body><div id=app></div>{body}</body></html>"


@pytest.mark.parametrize(
    ("head", "body", "text"),
    [
        (
            "",
            "<noscript><p>Open daily from 9 to 5, but not on Mondays.</p></noscript>",
            "Open daily from 9 to 5, but not on Mondays.",
        ),
        ("", f"<noscript><article><h1>Ferry</h1><p>{PROSE}</p></article></noscript>", f"Ferry\n\n{PROSE.strip()}"),
        ("", "<noscript>You need to enable JavaScript to run this application.</noscript>", ""),
        ('<meta name="description" content="The ferry sails every hour.">', "", "The ferry sails every hour."),
        (
            '<script type="application/ld+json">{"@graph": [{"@type": "Recipe", "name": "Soup", "recipeIngredient": '
            '["200 g kelp"], "recipeInstructions": [{"text": "Boil the kelp for ten minutes."}]}]}</script>',
            "",
            "Soup\n\n200 g kelp\n\nBoil the kelp for ten minutes.",
        ),
        (
            '<script id="__NEXT_DATA__" type="application/json">{"props": {"article": {"body": "<p>The strike of the '
            'crews <b>ended</b> on Tuesday.</p>"}}}</script>',
            "",
            "The strike of the crews ended on Tuesday.",
        ),
        ("", f"<noscript><p>Enable JavaScript.</p></noscript><p>{PROSE}</p>", PROSE.strip()),
    ],
)
def test_a_page_that_shows_nothing_without_its_scripts_gives_what_it_says_elsewhere(
    head: str, body: str, text: str
) -> None:
    assert read(APP.format(head=head, body=body)).text == text


@pytest.mark.parametrize(
    "head",
    [
        "<script>window.location.href = '/new.html';</script>",
        '<script>location.replace("https://a.example/new.html")</script>',
        '<noscript><meta http-equiv="refresh" content="0;url=/new.html"></noscript>',
    ],
)
def test_where_a_script_sends_its_reader_is_a_link(head: str) -> None:
    assert [link.url for link in read(APP.format(head=head, body="")).links] == ["https://a.example/new.html"]
    assert not read(f"<html><head>{head}</head><body><p>{PROSE}</p></body></html>").links


def test_a_standfirst_between_the_headline_and_the_text_is_kept() -> None:
    head = "<div class=top><h1>Strike ends</h1><h2 class=dek>It began on 3 May.</h2></div>"
    page = read(f"<html><body>{head}<div class=text>{f'<p>{PROSE}</p>' * 3}</div></body></html>")
    assert page.text.startswith("Strike ends\n\nIt began on 3 May.\n\n")


@pytest.mark.parametrize(
    "record",
    [
        '{"@type": "Article", "articleBody": "The strike of the crews ended on Tuesday.",}',
        '//<![CDATA[\n{"@type": "Article", "articleBody": "The strike of the crews ended on Tuesday."}\n//]]>',
        '/*<![CDATA[*/ {"@type": "Article", "articleBody": "The strike of the crews\nended on Tuesday."}; /*]]>*/',
    ],
)
def test_records_of_a_page_are_read_with_commas_comments_and_line_breaks_that_json_has_not(record: str) -> None:
    page = read(f'<html><body><div id=app></div><script type="application/ld+json">{record}</script></body></html>')
    assert " ".join(page.text.split()) == "The strike of the crews ended on Tuesday."
