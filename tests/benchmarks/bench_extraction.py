"""Main text on pages that nobody here wrote: `python tests/benchmarks/bench_extraction.py FOLDER`.

FOLDER is a clone of ScrapingHub's article-extraction-benchmark (`ground-truth.json` and `html/ID.html.gz`). Prints F1,
precision and recall of `read_page`, of trafilatura by itself and of all visible text, over runs of four words as that
benchmark counts them: the mean of the pages' precisions and recalls, and the F1 of the two; and milliseconds a page.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import trafilatura

from airoagent.documents.read_page import read_page
from tests.documents.trap_pages import f1


def ours(body: bytes) -> str:
    return read_page(body, "text/html", "https://a.example/").text


def visible(body: bytes) -> str:
    return read_page(body, "text/html", "docs://a/page.html").text


def theirs(body: bytes) -> str:
    return trafilatura.extract(body, include_comments=False, fast=True) or ""


def measure(name: str, read: Callable[[bytes], str], pages: list[tuple[bytes, str]]) -> None:
    """Print the figures of one way to read."""
    started = time.process_time()
    texts = [read(body) for body, _ in pages]
    seconds = time.process_time() - started
    scores = [f1(text, expected) for text, (_, expected) in zip(texts, pages, strict=True)]
    precision, recall = (sum(score[at] for score in scores) / len(scores) for at in (1, 2))
    both = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    each = 1000 * seconds / len(pages)
    print(f"{name:<24} F1 {both:.3f}  precision {precision:.3f}  recall {recall:.3f}  {each:.1f} ms")


def main(folder: Path) -> None:
    """Read every page of the ground truth in each of the ways."""
    truth = json.loads((folder / "ground-truth.json").read_text(encoding="utf-8"))
    pages = [
        (gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes()), str(page["articleBody"]))
        for name, page in truth.items()
    ]
    print(f"{len(pages)} pages")
    for name, read in (("read_page", ours), ("trafilatura, fast", theirs), ("read_page of documents", visible)):
        measure(name, read, pages)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: bench_extraction.py FOLDER (a clone of article-extraction-benchmark)")
    main(Path(sys.argv[1]))
