"""How well and how fast pages are read: `python tests/benchmarks/bench_extract.py [HTML FILES OR FOLDERS ...]`.

Prints F1, precision and recall (runs of four words, as article benchmarks count) over the trap pages of
tests/documents/trap_pages.py, compared with bs4's `get_text()`; the time for a generated page of 1 MB as a ratio to a
subclass of `html.parser` that collects its text and links (bar 1.5); how time grows on extreme pages; with files or
folders, also seconds per megabyte over them.
"""

from __future__ import annotations

import resource
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bs4 import BeautifulSoup

from airoagent.documents.read_page import read_page
from tests.documents.extreme_pages import SHAPES
from tests.documents.trap_pages import PAGES, f1


def quality() -> None:
    ours = [f1(read_page(page.html.encode(), "text/html", "https://a.example/").text, page.expected) for page in PAGES]
    plain = [f1(BeautifulSoup(page.html, "lxml").get_text("\n"), page.expected) for page in PAGES]
    for page, (score, precision, recall) in zip(PAGES, ours, strict=True):
        print(f"{score:.3f}  precision {precision:.3f}  recall {recall:.3f}  {page.name}")
    for name, scores in (("read_page", ours), ("bs4 get_text", plain)):
        means = [sum(score[at] for score in scores) / len(scores) for at in range(3)]
        print(f"mean of {len(scores)} pages, {name}: F1 {means[0]:.3f} precision {means[1]:.3f} recall {means[2]:.3f}")


class _Collector(HTMLParser):
    """The baseline: the text and the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def processor_time() -> float:
    """Seconds used by this process and those it has waited for: large pages are read in one of their own."""
    return sum(resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def large_page() -> None:
    row = '<div class="row"><h2>Part {0}</h2><p>Some words about part {0}, <b>bold</b> and <i>not</i>, and more of '
    row += 'them to read.</p><ul><li><a href="/part/{0}">part {0}</a></li><li>plain</li></ul></div>\n'
    page = f"<html><body>{''.join(row.format(number) for number in range(5000))}</body></html>"
    taken: list[tuple[float, float]] = []
    for _ in range(5):
        started = processor_time()
        _Collector().feed(page)
        between = processor_time()
        read_page(page.encode(), "text/html", "docs://a/page.html")  # all its text, as a document is indexed
        taken.append((between - started, processor_time() - between))
    base, ours = (min(column) for column in zip(*taken, strict=True))
    print(
        f"a page of {len(page) / 1e6:.1f} MB: html.parser {base:.3f} s, read_page {ours:.3f} s, ratio {ours / base:.2f}"
    )


def growth() -> None:
    """How the time for extreme pages grows when they are eight times as large (linear: 8)."""
    factors = {}
    for name, piece in SHAPES.items():
        seconds = []
        for size in (100_000, 800_000):
            body = b"<p>Start." + piece.encode() * (size // len(piece))
            started = time.process_time()
            read_page(body, "text/html", "https://a.example/")
            seconds.append(time.process_time() - started)
        factors[name] = (seconds[1] / seconds[0], seconds[1])
    worst = max(factors, key=lambda name: factors[name][0])
    slowest = max(factors, key=lambda name: factors[name][1])
    print(f"{len(SHAPES)} extreme shapes, 100 kB to 800 kB: time grows at most {factors[worst][0]:.1f} times ({worst})")
    print(f"slowest: {slowest}, {factors[slowest][1]:.2f} s of processor time for 800 kB")


def speed(paths: list[Path]) -> None:
    files = [file for path in paths for file in (sorted(path.rglob("*.html")) if path.is_dir() else [path])]
    bodies = [file.read_bytes() for file in files]
    started = time.process_time()
    for body in bodies:
        read_page(body, "text/html", "https://a.example/")
    seconds = time.process_time() - started
    size = sum(map(len, bodies)) / 1e6
    print(f"{len(bodies)} files, {size:.1f} MB: {seconds:.2f} s of processor time, {seconds / size:.3f} s/MB")


if __name__ == "__main__":
    quality()
    large_page()
    growth()
    if sys.argv[1:]:
        speed([Path(argument) for argument in sys.argv[1:]])
