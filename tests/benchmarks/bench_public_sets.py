"""Specifications, calls, robots.txt files and links of others: `python tests/benchmarks/bench_public_sets.py FOLDER`.

FOLDER has what is to be measured, unpacked next to each other (what is not there is left out):

- `bfcl_eval`: the wheel of bfcl-eval (Berkeley Function Calling Leaderboard): specifications loaded as they are; its
  right answers, written in the forms of several models, read back as the same calls
- `protego-*`: the sdist of Protego: decisions by 4,000 robots.txt files, compared with Protego's own
- `linkify_it_py-*`: the sdist of linkify-it-py: links found in its texts
- `trafilatura-0.*`: an sdist of trafilatura up to 0.3, which has its test pages: which of the passages that its tests
  name are found, and which of those that are not the page's text (F1: ours, and that of the installed trafilatura)

With `-v` it prints what differs.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import trafilatura
import yaml
from protego import Protego

from airoagent import AiroError, extract_links, load_functions, parse_calls
from airoagent.documents.read_page import read_page
from airoagent.web.politeness import Robots

Call = tuple[str, dict[str, Any]]


def lines(path: Path) -> Iterator[dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    if text.startswith("{\n"):  # a note about the set
        return
    yield from (json.loads(line) for line in text.splitlines() if line.startswith("{"))


def as_python(name: str, params: dict[str, Any]) -> str:
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in params.items())})"


def as_openai(name: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "arguments": params}


FORMS: dict[str, Callable[[list[Call]], str]] = {
    "function and params": lambda calls: "\n".join(json.dumps({"function": n, "params": p}) for n, p in calls),
    "list of name and arguments": lambda calls: json.dumps([as_openai(n, p) for n, p in calls]),
    "arguments as text": lambda calls: json.dumps([as_openai(n, json.dumps(p)) for n, p in calls]),  # type: ignore[arg-type]
    "tool_calls": lambda calls: json.dumps(
        {"tool_calls": [{"type": "function", "function": as_openai(n, p)} for n, p in calls]}
    ),
    "<tool_call>": lambda calls: "\n".join(
        f"<tool_call>\n{json.dumps(as_openai(n, p))}\n</tool_call>" for n, p in calls
    ),
    "Python": lambda calls: f"[{', '.join(as_python(n, p) for n, p in calls)}]",
    "fenced": lambda calls: "Here:\n```json\n" + json.dumps([as_openai(n, p) for n, p in calls], indent=2) + "\n```",
    "YAML": lambda calls: yaml.safe_dump([{"function": n, "params": p} for n, p in calls], allow_unicode=True),
}


def expected(answer: dict[str, Any]) -> list[Call]:
    """The first right value of each parameter; "" stands for one that may be left out."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(one) for one in value]
        if not isinstance(value, dict):
            return value
        firsts = {key: one[0] if isinstance(one, list) and one else one for key, one in value.items()}
        return {key: plain(one) for key, one in firsts.items() if one != ""}

    calls = []
    for one in answer["ground_truth"]:
        ((name, params),) = one.items()
        calls.append((name, {key: plain(values[0]) for key, values in params.items() if values and values[0] != ""}))
    return calls


def leaderboard(folder: Path) -> None:
    specifications = {
        json.dumps(one): one
        for path in sorted(folder.glob("*.json"))
        for entry in lines(path)
        for one in entry.get("function", [])
    }
    specifications |= {
        json.dumps(one): one for path in sorted((folder / "multi_turn_func_doc").glob("*.json")) for one in lines(path)
    }
    loaded, why = 0, Counter[str]()
    for one in specifications.values():
        try:
            load_functions([one])
            loaded += 1
        except AiroError as error:
            why[error.message[:90]] += 1
    print(f"BFCL: {loaded} of {len(specifications)} different specifications loaded", dict(why.most_common(5)))
    read, count, wrong = Counter[str](), 0, []
    for path in sorted(folder.glob("possible_answer/*.json")):
        functions = {entry["id"]: entry.get("function") for entry in lines(folder / path.name)}
        for answer in lines(path):
            if not functions.get(answer["id"]) or not isinstance(answer["ground_truth"][0], dict):
                continue
            offered, calls = load_functions(functions[answer["id"]]), expected(answer)
            count += 1
            for form, write in FORMS.items():
                text = write(calls)
                try:
                    found = [
                        (call.function, call.params)
                        for call in parse_calls(text, offered, format="yaml" if form == "YAML" else "json")
                    ]
                except AiroError as error:
                    found = error.message  # type: ignore[assignment]
                read[form] += found == calls
                if found != calls:
                    wrong.append((form, answer["id"], text[:300], str(found)[:300]))
    for form in FORMS:
        print(f"BFCL: {read[form] / count:7.2%} of {count} answers read back from {form}")
    for form, id, text, found in wrong if "-v" in sys.argv else ():
        print(form, id, text, found, sep="\n  ")


def robots(folder: Path) -> None:
    same = total = 0
    for path in sorted(folder.glob("tests/test_data/*")):
        body = path.read_bytes()
        ours, theirs = Robots(body), Protego.parse(body.decode("utf-8", "replace"))
        paths = {
            line.split(":", 1)[1].split("#")[0].strip()
            for line in body.decode("utf-8", "replace").splitlines()
            if ":" in line and line.lower().startswith(("allow", "disallow"))
        }
        for one in sorted(paths)[:100]:
            address = one.replace("*", "x").rstrip("$") if one.startswith("/") else "/"
            address = "".join(sign if sign.isascii() and sign > " " else "x" for sign in address)
            total += 1
            same += ours.allows("airoagent", address) == theirs.can_fetch(f"https://a.example{address}", "airoagent")
    print(f"robots.txt: {same / max(total, 1):.2%} of {total} decisions as Protego's")


def links(folder: Path) -> None:
    ok, wrong = 0, []
    text = (folder / "test/fixtures/links.txt").read_text(encoding="utf-8")
    pairs = [[line for line in part.splitlines() if line and line[0] != "%"] for part in text.split("\n\n")]
    kept = [
        (pair[0], pair[-1])
        for pair in pairs
        if pair and not pair[-1].startswith(("mailto:", "ftp:")) and "@" not in pair[-1]
    ]
    for line, link in kept:
        found = [getattr(one, "url", one) for one in extract_links(line.split(" % ")[0])]
        ok += link in found or f"http://{link}" in found
        wrong += [] if link in found or f"http://{link}" in found else [(line, link, found)]
    print(f"links: {ok} of {len(kept)} texts")
    for one in wrong if "-v" in sys.argv else ():
        print("  ", *one)


def pages(folder: Path) -> None:
    tests = (folder / "tests" / "unit_tests.py").read_text(encoding="utf-8")
    files = dict(re.findall(r"^\s*'(\S+)': '(\S+)'", tests, re.MULTILINE))
    readers = {"ours": ours, "trafilatura": theirs}
    right, missed, extra = Counter[str](), Counter[str](), Counter[str]()
    count = 0
    for url, checks in re.findall(r"load_mock_page\('(\S+?)'[^\n]*\n((?:\s*assert [^\n]+\n)+)", tests):
        path = folder / "tests" / "cache" / files.get(url, "-")
        if not path.is_file():
            continue
        count += 1
        checks = re.sub(r"\s# .*", "", checks)
        passages = re.findall(r"(?:'((?:[^'\\]|\\.)+)'|\"([^\"]+)\") (not in|in) result", checks)
        for name, read in readers.items():
            text = " ".join(read(path.read_bytes(), url).split())
            for one, other, sense in passages:
                passage = " ".join((one.replace("\\'", "'").replace("\\n", " ") or other).split())
                if "<" in passage or "&" in passage:  # of trafilatura's own XML
                    continue
                found = passage in text
                right[name] += found and sense == "in"
                missed[name] += not found and sense == "in"
                extra[name] += found and sense == "not in"
                if "-v" in sys.argv and name == "ours" and found != (sense == "in"):
                    print("  ", url, "misses" if sense == "in" else "has", repr(passage))
    for name in readers:
        f1 = 2 * right[name] / max(1, 2 * right[name] + missed[name] + extra[name])
        print(
            f"pages: {name}: F1 {f1:.3f} on {count} pages ({right[name]} passages found, "
            f"{missed[name]} missed, {extra[name]} that do not belong)"
        )


def ours(body: bytes, url: str) -> str:
    return read_page(body, "text/html", url).text


def theirs(body: bytes, url: str) -> str:
    return trafilatura.extract(body, include_comments=False, fast=False) or ""


if __name__ == "__main__":
    base = Path(sys.argv[1])
    sets = {"bfcl_eval/data": leaderboard, "protego-*": robots, "linkify_it_py-*": links, "trafilatura-0.*": pages}
    for name, measure in sets.items():
        for found in filter(Path.is_dir, base.glob(name)):
            measure(found)
