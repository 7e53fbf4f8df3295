"""Made reading questions: texts, a question about them, and the answer with its source, or that the texts do not tell.

A sixth cannot be answered, most of these nearly: the text tells the same of somebody else, or something else of the
same. Yes and no are decided by what a sentence says, also where it says it by a negation. Invented texts are plainer
than any real page, so most readings are over written ones: those of the folder texts/, and others that are given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from functools import cache
from importlib.resources import files
from random import Random
from typing import Final

from airoagent.extractive.quotes import best_lines
from airoagent.prompts.chat import Style
from airoagent.prompts.context_prompts import ContextBlock, closed_context_prompt
from airoagent.text.sentences import sentences
from airoagent.text.words import STOP_WORDS
from airoagent.training.examples import Example
from airoagent.training.invented import Relation, data_of, invented_name, invented_value, relations_of, subjects

NOT_TOLD: Final[dict[Style, str]] = {
    "airoboros": "The context does not say.",
    "chat": "The text does not say.",
    "compact": "The text does not say.",
}
_ASK: Final = "Source? Don't make up answers if you don't know."


def _block(random: Random, name: str, text: str) -> ContextBlock:
    word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    host = invented_name(random).lower()
    url = random.choice(
        (f"https://{host}.org/{word}", f"docs://{host}/{word}.md", f"https://www.{host}.com/{word}.html")
    )
    pairs = [("url", url)]
    if random.random() < 0.6:
        pairs.append(("title", name[:1].upper() + name[1:]))
    if random.random() < 0.2:
        pairs.append(("date", invented_value(random, "date")))
    return ContextBlock(text, tuple(pairs))


def _passage(random: Random, subject: str, x: str, leave_out: Relation | None) -> tuple[str, dict[Relation, str]]:
    """Some sentences about one subject, or a list, and what each tells."""
    about = [one for one in relations_of(subject) if one != leave_out]
    told = {
        one: invented_value(random, one.value) for one in random.sample(about, min(len(about), random.randint(1, 5)))
    }
    if random.random() < 0.12:
        mark = random.choice(("- ", "* ", ""))
        return "\n".join([_capital(x), *(f"{mark}{_capital(one.noun)}: {value}" for one, value in told.items())]), told
    sentences = [random.choice(one.told).format(x=x, v=value) for one, value in told.items()]
    random.shuffle(sentences)
    it = random.choice(("He", "She")) if subject == "person" else "It"
    for at, sentence in enumerate(sentences[1:], 1):
        if sentence.startswith(f"{x} ") and random.random() < 0.5:
            sentences[at] = it + sentence.removeprefix(x)
    for filler in random.sample(data_of("words.yaml")["fillers"], random.choice((0, 0, 1, 1, 2, 3))):
        sentences.insert(random.randint(1, len(sentences)), filler)
    return " ".join(map(_capital, sentences)), told


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


Reading = tuple[list[ContextBlock], str, str, ContextBlock | None]
"""The blocks, the question, the answer ("": not told), and the block that tells it."""


def _facts(random: Random) -> Reading:
    subject = random.choice(subjects())
    x = invented_value(random, subject)
    other = _another(random, subject, {x})
    wanted = random.choice(relations_of(subject))
    missing = random.random() < 0.18
    text, told = _passage(random, subject, x, wanted if missing else None)
    if not missing:
        wanted = random.choice(list(told))
    block = _block(random, x, text)
    blocks, names = [block], {x, other}
    if missing or random.random() < 0.4:  # the same of somebody else: what must not be taken for the answer
        value = invented_value(random, wanted.value)
        near = f"{random.choice(wanted.told).format(x=other, v=value)} {_passage(random, subject, other, wanted)[0]}"
        blocks.append(_block(random, other, _capital(near)))
    while len(blocks) < random.choice((1, 1, 2, 3, 4)):
        another = random.choice(subjects())
        names.add(name := _another(random, another, names))
        blocks.append(_block(random, name, _passage(random, another, name, None)[0]))
    random.shuffle(blocks)
    question = random.choice(wanted.asked).format(x=x)
    if not missing and len(blocks) == 1 and random.random() < 0.15:  # "When does it end?", over one text
        question = question.replace(x, "it" if subject != "person" else random.choice(("he", "she")))
    return (blocks, question, "", None) if missing else (blocks, question, _as_told(told[wanted], text), block)


def _another(random: Random, kind: str, known: Container[str]) -> str:
    """A value of the kind that is none of the known ones: what is told of it is not told of them."""
    while (value := invented_value(random, kind)) in known:
        pass
    return value


def _as_told(value: str, text: str) -> str:
    """The value as it stands in the text, which may begin a sentence with it."""
    return value if value in text else _capital(value)


def _checked(random: Random) -> Reading:
    """Whether a value is the one that the text tells; the answer gives the sentence it stands on."""
    subject = random.choice([one for one in subjects() if any(each.checked for each in relations_of(one))])
    x = invented_value(random, subject)
    wanted = random.choice([one for one in relations_of(subject) if one.checked])
    value, other = invented_value(random, wanted.value), invented_value(random, wanted.value)
    text, _ = _passage(random, subject, x, wanted)
    sentence = random.choice(wanted.told).format(x=x, v=value)
    sentence = _capital(sentence)
    missing, right = random.random() < 0.2, random.random() < 0.5 or value == other
    block = _block(random, x, text if missing else " ".join(random.sample([text, sentence], 2)))
    question = wanted.checked.format(x=x, v=value if right else other)
    if missing:
        return [block], question, "", None
    return [block], question, f"{'Yes' if right else 'No'}. {sentence}", block


def _decided(random: Random) -> Reading:
    drawn = random.choice(data_of("words.yaml")["decided"])
    question, yes, no = drawn["question"], drawn["yes"], drawn["no"]
    place = invented_value(random, "place")
    elsewhere = _another(random, "place", {place})
    right, missing = random.random() < 0.5, random.random() < 0.2
    number = random.randint(2, 90)
    sentence = random.choice(yes if right else no).format(p=place, n=number)
    near = random.choice(no if right else yes).format(p=elsewhere, n=number)
    sentences = [
        *([] if missing else [sentence]),
        *random.sample(data_of("words.yaml")["fillers"], random.randint(1, 2)),
    ]
    if missing or random.random() < 0.4:
        sentences.append(near)
    random.shuffle(sentences)
    block = _block(random, place, " ".join(sentences))
    answer = "" if missing else f"{'Yes' if right else 'No'}. {sentence}"
    return [block], question.format(p=place), answer, None if missing else block


_COLUMNS: Final = {
    "price": "{} euros", "weight": "{} kg", "stock": "{}", "length": "{} m", "speed": "{} km/h", "power": "{} W",
    "year": "{}", "visitors": "{}", "capacity": "{} litres",
}  # fmt: skip


def _table(random: Random) -> Reading:
    """Rows as CSV, Markdown or lines; one cell is asked for, or the row with the greatest or least value."""
    columns = random.sample(list(_COLUMNS), random.randint(2, 4))
    rows = {invented_name(random): [random.randint(2, 3000) for _ in columns] for _ in range(random.randint(3, 6))}
    head = ["name", *columns]
    cells = [
        [name, *(_COLUMNS[one].format(value) for one, value in zip(columns, values, strict=True))]
        for name, values in rows.items()
    ]
    match random.choice(("csv", "markdown", "lines")):
        case "csv":
            text = "\n".join(",".join(row) for row in [head, *cells])
        case "markdown":
            text = "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *cells])
        case _:
            text = "\n".join(
                f"{row[0]}: " + ", ".join(f"{one} {cell}" for one, cell in zip(columns, row[1:], strict=True))
                for row in cells
            )
    block = _block(random, f"{invented_name(random)} table", text)
    at, row = random.randrange(len(columns)), random.choice(cells)
    draw = random.random()
    if draw < 0.25:
        missing = random.choice([one for one in _COLUMNS if one not in columns])
        name, missing = random.choice(((row[0], missing), (invented_name(random) + "ix", columns[at])))
        return [block], f"What is the {missing} of {name}?", "", None
    values = [figures[at] for figures in rows.values()]
    if draw < 0.55 and len(set(values)) == len(values):
        word, best = random.choice((("most", max(values)), ("least", min(values))))
        name = next(name for name, figures in rows.items() if figures[at] == best)
        return [block], f"Which has the {word} {columns[at]}?", name, block
    asked = random.choice(("What is the {} of {}?", "Which {} does {} have?"))
    return [block], asked.format(columns[at], row[0]), row[at + 1], block


_KINDS: Final[tuple[tuple[int, str, Callable[[Random], Reading]], ...]] = (
    (55, "read", _facts),
    (12, "check", _checked),
    (15, "check", _decided),
    (18, "table", _table),
)


def made_reading(random: Random, style: Style) -> Example:
    """Texts and a question, as the prompt of this style, and the answer; in the airoboros style with its source."""
    _, kind, make = random.choices(_KINDS, [one[0] for one in _KINDS])[0]
    return _example(random, style, kind, make(random))


Passage = tuple[str, str, str, tuple[str, ...]]
"""A text with its name, a question over it ("": none), and the answers that are right (none: the text has none)."""


@cache
def written_passages() -> tuple[Passage, ...]:
    """The questions over the texts in the folder texts/, which were written for this."""
    folder = sorted(files(__package__).joinpath("texts").iterdir(), key=lambda one: one.name)
    return tuple(one for each in folder for one in read_passages(each.read_text(encoding="utf-8")))


def read_passages(text: str) -> Iterator[Passage]:
    """The questions of a file of texts: each text has a line "# Title", itself, lines "Q: ..." with one or more
    "A: ..." after each ("-": not answered by the text), and a line "===" as its end.
    """
    for entry in text.split("\n===\n"):
        head, *questions = entry.strip().split("\nQ: ")
        title, _, body = head.partition("\n")
        for each in questions:
            question, *answers = each.strip().split("\nA: ")
            yield title.removeprefix("# "), body.strip(), question, tuple(one for one in answers if one != "-")


def passage_reading(random: Random, style: Style, passages: Sequence[Passage]) -> Example:
    """A question over a text that people wrote, alone or among others; now and then over a text that lacks the answer:
    another one, or the same without the sentences that have it.

    ``passages`` that follow one another are of one source: their texts are the near misses. A passage that comes
    without a question, and some of the others, are asked for a span that is left out of one of their sentences.
    """
    for _ in range(100):
        at = random.randrange(len(passages))
        name, text, question, answers = passages[at]
        if question and random.random() >= 0.1:
            kind = "check" if answers and re.match("(?:Yes|No)[.] ", answers[0]) else "passage"
            break
        if cloze := _cloze(random, text):
            kind, question, answers = "cloze", cloze[0], (cloze[1],)
            break
    else:
        return made_reading(random, style)
    near = {one[1] for one in passages[max(0, at - 40) : at + 40]} - {text}
    others = sorted(one for one in near if not _tells(one, answers))
    rest = " ".join(one for one in sentences(text) if not _tells(one, answers))
    removed = bool(answers and rest) and random.random() < 0.1
    if removed and (not others or random.random() < 0.6):
        others = [rest, *others]
        drawn = others[:1]
    else:
        drawn = random.sample(
            others, min(len(others), random.choice((1, 1, 2)) if removed else random.choice((0, 0, 0, 1)))
        )
    block = _block(random, name, text)
    blocks = [_block(random, name, one) for one in drawn] + ([] if removed else [block])
    random.shuffle(blocks)
    missing = removed or not answers
    answer = "" if missing else min(answers, key=len)
    return _example(random, style, kind, (blocks, question, answer, None if missing else block))


def _tells(text: str, answers: Sequence[str]) -> bool:
    return any(_said(answer).lower() in text.lower() for answer in answers)


def _said(answer: str) -> str:
    """The words of the text that an answer stands on."""
    return re.sub(r"^(?:Yes|No)\. ", "", answer)


_MONTHS: Final = "January|February|March|April|May|June|July|August|September|October|November|December"
_NAME: Final = r"[A-Z][\w’'-]+(?:(?: of| of the| de| von| van| and)? [A-Z][\w’'-]+)*(?! [A-Z]|[\w-])"
# What is left out of a sentence, and how it is asked for; of a number, what is counted comes first in the question.
_DOES: Final = r"(?= (?:is|was|are|were|has|had|can|became|won|wrote|made|\w+ed)\b)"
_SPANS: Final = (
    (rf"\b[io]n ((?:\d{{1,2}} )?(?:(?:{_MONTHS}) )?(?:\d{{1,2}}, )?[12]\d{{3}}s?)\b", "In what year|When|What year"),
    (
        r"(?<![\w.,$£€-])((?:\d{1,3}(?:,\d{3})+|\d{1,3}|\d+\.\d+)(?: (?:million|billion|percent)|%)?)(?= [a-z])",
        "How many",
    ),
    (r"\b(two|three|four|five|six|seven|eight|nine|ten|twelve|dozens|hundreds)(?= [a-z])", "How many"),
    (rf"\bby ({_NAME})", "Who|By whom|Which people or group"),
    (rf"\b(?:in|at|to|from) ((?:the )?{_NAME})", "Where|In what place|What place"),
    (rf"[a-z] ((?:the )?{_NAME})", "Who|What|Which|What is the name of what"),
    (rf"^((?:The )?{_NAME}){_DOES}", "Who|What|Which"),
    (rf"^((?:The )?{_NAME}){_DOES}", "Who|What|Which"),
    (r"\bbecause ((?:of )?[\w ’'-]{8,60})(?=[.,;])", "Why"),
    (r"\b(?:is|as|called) ((?:an?|the) (?:[a-z-]+ ){1,4}[a-z]+)(?=[.,;])", "What|As what|What kind of thing"),
)  # fmt: skip


def _cloze(random: Random, text: str) -> tuple[str, str] | None:
    """A question for a span that is left out of a sentence of the text, and the span; None where there is none."""
    told = [one for one in sentences(text) if 8 <= len(one.split()) <= 40]
    for sentence in random.sample(told, min(len(told), 8)):
        pattern, asked = random.choice(_SPANS)
        found = [
            one
            for one in re.finditer(pattern, sentence)
            if len(one[1]) > 1 and text.count(one[1]) == 1 and one[1].lower() not in STOP_WORDS
        ]
        if not found:
            continue
        span, wh = random.choice(found), random.choice(asked.split("|"))
        before = re.split(r"[;:()]|, (?!\d)", sentence[: span.start(1)])[-1].strip()
        after = re.split(r"[;:()]|, (?!\d)|\.$", sentence[span.end(1) :])[0].strip()
        if sum(one.lower() not in STOP_WORDS for one in f"{before} {after}".split()) < 4:
            continue
        before = re.sub(r"^(?:The|In|It|An?|This|At|On|He|She)(?= |$)", lambda common: common[0].lower(), before)
        kept = [one for one in (before, after) if one]
        if wh == "How many":
            kept.reverse()
        elif before and random.random() < 0.4:  # "The town was given to which people or group in 1816?"
            kept.insert(1, wh.lower())
            wh = ""
        question = " ".join(f"{wh} {' '.join(kept)}".split())
        question = " ".join(one for one in question.split() if random.random() < 0.95)
        return f"{_capital(question)}?", span[1]
    return None


def _example(random: Random, style: Style, kind: str, reading: Reading) -> Example:
    blocks, question, answer, source = reading
    if random.random() < 0.08:
        question = question.lower().rstrip("?")
    if style == "compact":  # as such models are asked: what is not among the best lines cannot be answered
        blocks = list(best_lines(blocks, question))
        source = source if any(_said(answer) in block.text for block in blocks) else None
    if style == "airoboros":
        question = f"{question} {_ASK}"
    if source is None:
        response = NOT_TOLD[style]
    elif style == "airoboros":
        response = "\n".join([answer, "Source:", *(f"{key}: {value}" for key, value in source.metadata)])
    else:
        response = answer if style == "compact" or answer.endswith(".") else f"{answer}."
    return Example(closed_context_prompt(blocks, question, style), response, kind)
