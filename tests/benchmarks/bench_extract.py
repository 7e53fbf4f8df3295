"""How well and how fast pages are read: `python tests/benchmarks/bench_extract.py [HTML FILES OR FOLDERS ...]`.

Prints F1, precision and recall (runs of four words, as article benchmarks count) over the trap pages of
tests/toolbox/trap_pages.py, beside bs4's `get_text()`; with files or folders, also seconds per megabyte over them.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "toolbox")]

from bs4 import BeautifulSoup  # noqa: E402
from trap_pages import PAGES, f1  # noqa: E402

from airoagent.toolbox.extract import read_page  # noqa: E402


def quality() -> None:
    ours = [f1(read_page(page.html.encode(), "text/html", "https://a.example/").text, page.expected) for page in PAGES]
    plain = [f1(BeautifulSoup(page.html, "lxml").get_text("\n"), page.expected) for page in PAGES]
    for page, (score, precision, recall) in zip(PAGES, ours, strict=True):
        print(f"{score:.3f}  precision {precision:.3f}  recall {recall:.3f}  {page.name}")
    for name, scores in (("read_page", ours), ("bs4 get_text", plain)):
        means = [sum(score[at] for score in scores) / len(scores) for at in range(3)]
        print(f"mean of {len(scores)} pages, {name}: F1 {means[0]:.3f} precision {means[1]:.3f} recall {means[2]:.3f}")


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
    if sys.argv[1:]:
        speed([Path(argument) for argument in sys.argv[1:]])
