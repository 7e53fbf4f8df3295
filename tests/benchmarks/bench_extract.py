"""How well and how fast pages are read: `python tests/benchmarks/bench_extract.py [HTML FILES OR FOLDERS ...]`.

Prints F1, precision and recall (runs of four words, as article benchmarks count) over the trap pages of
tests/documents/trap_pages.py, compared with bs4's `get_text()`; how time grows on extreme pages; with files or folders,
also seconds per megabyte over them.
"""

from __future__ import annotations

import sys
import time
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
    growth()
    if sys.argv[1:]:
        speed([Path(argument) for argument in sys.argv[1:]])
