"""How the document index scales: `python tests/benchmarks/bench_documents.py [FILES, default 10000]`.

Makes that many HTML pages (made-up words with the frequencies of language, navigation around the text), then prints
the seconds to build the index and its processor time a file, to look for changes when there are none, to take in 10
changed files, the processor time of a search (median and worst of 50 queries of three words), the size of the index and
the most memory used.
"""

from __future__ import annotations

import random
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from airoagent.documents.library import Documents


def vocabulary(size: int) -> list[str]:
    """Made-up words, each once: the first are the frequent ones."""
    pick = random.Random(1)
    parts = [c + v for c in "bcdfghjklmnprstvwz" for v in "aeiou"]
    return list(dict.fromkeys("".join(pick.choices(parts, k=pick.randint(2, 4))) for _ in range(size * 2)))[:size]


def write_pages(folder: Path, files: int, words: list[str]) -> int:
    """The pages, a thousand to a folder; gives their size in bytes."""
    pick = random.Random(2)
    weights = [1 / (rank + 3) for rank in range(len(words))]
    stream = pick.choices(words, weights=weights, k=200_000)
    navigation = "".join(f'<li><a href="/{word}">{word}</a></li>' for word in words[:20])
    size = 0
    for number in range(files):
        if number % 1000 == 0:
            (folder / f"part{number // 1000:03}").mkdir()
        at = pick.randrange(len(stream) - 400)
        sentences = [" ".join(stream[at + n * 12 : at + n * 12 + 12]).capitalize() + "." for n in range(25)]
        rare = f"Record {number} belongs to {words[-1 - number % 5000]} of {1700 + number % 300}."
        body = "".join(f"<p>{' '.join(sentences[n : n + 5])}</p>" for n in range(0, 25, 5))
        title = f"{words[number % len(words)]} {number}"
        page = (
            f"<html><head><title>{title}</title></head><body><nav><ul>{navigation}</ul></nav><main><h1>{title}</h1>"
            f"<p>{rare}</p>{body}</main></body></html>"
        )
        (folder / f"part{number // 1000:03}" / f"page{number}.html").write_text(page)
        size += len(page)
    return size


def processor_time() -> float:
    """Seconds used by this process and those it has waited for, which read the files."""
    return sum(resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def timed(what: str, work: object) -> None:
    started = time.perf_counter()
    result = work() if callable(work) else None
    print(f"{what}: {time.perf_counter() - started:.2f} s {result if result is not None else ''}", flush=True)


def main(files: int) -> None:
    words = vocabulary(30_000)
    with tempfile.TemporaryDirectory() as place:
        folder, cache = Path(place) / "pages", Path(place) / "cache"
        folder.mkdir()
        size = write_pages(folder, files, words)
        print(f"{files} files, {size / 1e6:.1f} MB")
        documents = Documents([folder], cache)
        used = processor_time()
        timed("build", documents.refresh)
        print(f"{(processor_time() - used) / files * 1000:.2f} ms of processor time a file (bar 1.25)")
        timed("look for changes, none", documents.refresh)
        for number in range(10):
            (folder / "part000" / f"page{number}.html").write_text("<p>Changed a moment ago, zebra.</p>")
        timed("take in 10 changes", documents.refresh)
        pick = random.Random(3)
        times = []
        for _ in range(50):
            query = " ".join([pick.choice(words[:50]), pick.choice(words[200:2000]), pick.choice(words[-5000:])])
            started = time.process_time()
            documents.search(query)
            times.append(1000 * (time.process_time() - started))
        print(
            f"search, processor time (bar 12 ms): median {statistics.median(times):.1f} ms, worst {max(times):.1f} ms"
        )
        common = " ".join(words[:4])
        timed("search of four words that stand nearly everywhere", lambda: len(documents.search(common)))
        index = sum(file.stat().st_size for file in cache.iterdir())
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"index {index / 1e6:.0f} MB; most memory {memory / 1024:.0f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 10_000)
