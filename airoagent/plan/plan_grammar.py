"""The grammar of plans over one set of tools: `parser` reads every text it allows without any repair.

    >>> grammar = plan_grammar(["Search", "KnowledgeModel"])
    >>> grammar.lark().splitlines()[0]
    'start: (" ")? step0'

A plan is one to ``steps`` steps and an answer line, all in the dialect of ``:evidence0: = Tool[input]``:

    Plan: Search for the laureate (2020).
    :evidence0: = Search[Nobel Prize in Literature 2020 winner]
    Answer: :evidence0:

- Ids count from 0 without gaps; a reference is to an earlier step. The ``Plan:`` line may be left out.
- One space may stand at the very start (a llama's natural first token is ``▁Plan``); the backend drops it.
- Texts are one line, of bounded length, with single spaces between words, and without control, bidirectional and
  full-width characters that have a meaning in plans (``：＃［］``).
- An **input** may hold colons, quotes, ``+``, and brackets in balanced pairs, one level deep. It does not begin and end
  with a quote, nor join strings with ``+``, which the parser would take for notation around the text. ``#`` stands
  before a digit (``#1``) or after a letter (``C#``).
- A **thought** holds either brackets or the signs of a step (``: # $ =``), not both: it holds no call of a tool.
- The **answer** has at least one reference; text around it holds no brackets, and does not begin with a quote. After
  the last reference there are no digits and colons, and the first word there does not begin with ``c``, so that it
  can never be the prompt's own "containing the final answer", which the parser leaves out.

Nothing else can be taken for a reference: after a colon, ``evidence`` is written only as a whole reference to an
earlier step, or as a word that goes on in another way. Every legal continuation is listed, because llguidance 1.9 gets
a complement ("no ``:evidence`` in here") combined with a bounded repeat wrong, without any error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from airoagent.prompts.grammar import Alt, Chars, Grammar, Piece, Rep, Rule, Seq, Text, Use, but, chars, optional

STEPS = 16
THOUGHT = 400
INPUT = 400
ANSWER = 200
"""The bounds: steps, and characters of one thought, one input, and the answer's text before and between references."""

_NAME = re.compile(r"[^\s\[\](){}（）［］=＝:：\"'][^\s\[\](){}（）［］=＝:：]{0,119}")

_NEVER = but(
    Chars((), negated=True),
    "\x00-\x20\x7f-\xa0\u1680\u180e\u2000-\u200b\u200e-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff0-\ufffb\ufffe-\uffff",
    "\U000e0000-\U000e0fff：＃［］",
)
"""White space, controls, invisible signs (joiners within words aside), and the full-width signs of plans."""

_QUOTES = "\"'`“”„‘’«»「」『』"
_MARKS = "*_`"
_PLAIN = but(_NEVER, ":#[]+")
_FLAT = but(_PLAIN, "(（")
_PLUS = Text("+")
_SPACE = Text(" ")
_GAP = optional(_SPACE)
_COLON_RUN = Rep(Text(":"), 1, 3)
_SHARP = Alt((Seq((chars("A-Za-z0-9"), Text("#"))), Seq((Text("#"), chars("0-9")))))
_IN_BRACKETS = 100
_TAIL = 80
_MORE_REFERENCES = 8
# The dotted and the dotless i count as i where case is set aside.
_EVIDENCE = tuple(letter + letter.upper() + ("ıİ" if letter == "i" else "") for letter in "evidence")


def plan_grammar(
    tools: Iterable[str], *, steps: int = STEPS, thought: int = THOUGHT, input: int = INPUT, answer: int = ANSWER
) -> Grammar:
    """The grammar of plans that call only these tools (their names, as registered).

    Bounds: ``steps``, and characters of one ``thought`` or ``input`` and of the ``answer``, which with 0 is references
    alone. ValueError for other bounds below one, no tools, or a name that cannot be written in a plan.
    """
    return _grammar_of(tuple(dict.fromkeys(tools)), steps, thought, input, answer)


@lru_cache(maxsize=32)  # an agent asks for the same one with every question, and building it costs more than the run
def _grammar_of(names: tuple[str, ...], steps: int, thought: int, input: int, answer: int) -> Grammar:
    if not names or min(steps, thought, input, answer + 1) < 1:
        raise ValueError("a plan needs a tool, a step, and room for its texts")
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be written as a tool's name in a plan")
    rules = [Rule("start", Seq((optional(_SPACE), Use("step0"))))]
    for at in range(steps):
        answered = Use(f"answer{at}")
        after: Piece = answered if at + 1 == steps else Alt((Use(f"step{at + 1}"), answered))
        head: tuple[Piece, ...] = (
            optional(Seq((Text("Plan: "), Use(f"THOUGHT{at}"), Text("\n")))),
            Text(f":evidence{at}: = "),
            Use("TOOL"),
            Text("["),
            Use(f"INPUT{at}"),
            Text("]\n"),
        )
        rules.append(Rule(f"step{at}", Seq((*head, after))))
        rules.append(Rule(f"answer{at}", Seq((Text("Answer: "), Use(f"ANSWER{at}"), optional(Text("\n"))))))
    rules.append(Rule("TOOL", _any_of(names)))
    rules += [*_colons("", _PLAIN), *_colons("T_", _FLAT), Rule("SHARP", _SHARP)]
    for at in range(steps + 1):
        if at:
            rules += _references(at)
            rules.append(Rule(f"ANSWER{at - 1}", _answer(at, answer)))
        if at < steps:
            rules += _nested(at, input)
            rules.append(Rule(f"THOUGHT{at}", _thought(at, thought)))
            rules.append(Rule(f"INPUT{at}", _input(at, input)))
    last = f"Plan: x\n:evidence{steps}: = {max(names, key=len)}[x]\n"
    references = [f":evidence{at}:\n" for at in reversed(range(steps))]  # the last step there is answers
    closers = ("\n", "]\n", "]]\n", *(f"Answer: {one}" for one in references), *references)
    return Grammar(tuple(rules), closers, len(last.encode()) + 8)


def _any_of(texts: Iterable[str]) -> Piece:
    items = tuple(Text(text) for text in texts)
    return items[0] if len(items) == 1 else Alt(items)


# -- the pieces of texts


def _colons(prefix: str, plain: Chars) -> list[Rule]:
    """Terminals for colons that do not begin a reference; ``plain`` is what may follow them.

    COLON is one with what follows it, LAST_COLON one at the end of a text. After it comes a piece of ``evidence`` and
    then what does not continue it, or the whole word and then no number.
    """
    # The first letters of `evidence`, in any case, from one to all.
    prefixes = [Seq(tuple(map(chars, _EVIDENCE[: length + 1]))) for length in range(len(_EVIDENCE))]
    after: list[Piece] = [but(plain, _EVIDENCE[0])]
    for letters, following in zip(prefixes, _EVIDENCE[1:], strict=False):
        after.append(Seq((letters, Alt((but(plain, following), Seq((_SPACE, plain)))))))
    after.append(Seq((prefixes[-1], Alt((but(plain, "0-9_-"), Seq((chars("_ -"), but(plain, "0-9"))))))))
    cut = Alt(tuple(prefixes))
    return [
        Rule(f"{prefix}COLON", Seq((_COLON_RUN, _GAP, Alt(tuple(after))))),
        Rule(f"{prefix}LAST_COLON", Seq((_COLON_RUN, optional(Seq((_GAP, cut)))))),
    ]


def _references(count: int) -> list[Rule]:
    """REF is a reference to one of the first ``count`` steps, COLON_REF one that may have colons before it."""
    number = _any_of(str(at) for at in range(count))
    return [
        Rule(f"REF{count}", Seq((Text(":evidence"), number, Text(":")))),
        Rule(f"COLON_REF{count}", Seq((optional(Seq((_COLON_RUN, _GAP))), Use(f"REF{count}")))),
    ]


def _refs(count: int) -> tuple[Piece, ...]:
    return (Use(f"COLON_REF{count}"),) if count else ()


def _nested(count: int, most: int) -> list[Rule]:
    """NESTED is a pair of brackets with text in it, which may follow a colon."""
    unit = Alt((_PLAIN, _PLUS, Use("COLON"), Use("SHARP"), *_refs(count)))
    inner = Seq((optional(_words(unit, min(most, _IN_BRACKETS))), optional(Seq((_GAP, Use("LAST_COLON"))))))
    before = optional(Seq((_COLON_RUN, _GAP)))
    return [Rule(f"NESTED{count}", Seq((before, Text("["), inner, Text("]"))))]


def _words(unit: Piece, most: int) -> Piece:
    """One to ``most`` units, single spaces between some of them."""
    return Seq((unit, Rep(Seq((_GAP, unit)), 0, most - 1)))


def _framed(first: Piece, unit: Piece, last: Piece, most: int) -> Piece:
    """Two to ``most`` units with single spaces, the first and the last of their own kinds."""
    return Seq((first, Rep(Seq((_GAP, unit)), 0, max(most - 2, 0)), _GAP, last))


# -- thought, input, answer


def _thought(count: int, most: int) -> Piece:
    free = but(_NEVER, ":#$=")
    edge = but(free, _MARKS)
    bracketed = Alt((edge, _framed(edge, free, edge, most)))
    refs = _refs(count)
    unit = Alt((_FLAT, _PLUS, Text("]"), Use("T_COLON"), Use("SHARP"), *refs))
    edge_unit = Alt((but(_FLAT, _MARKS), _PLUS, Text("]"), Use("SHARP"), *refs))
    last_colon = Seq((_GAP, Use("T_LAST_COLON")))
    signed = Seq((Alt((edge_unit, _framed(edge_unit, unit, edge_unit, most))), optional(last_colon)))
    return Alt((bracketed, signed))


def _input(count: int, most: int) -> Piece:
    refs = _refs(count)
    nested = Use(f"NESTED{count}")
    unit: tuple[Piece, ...] = (_PLAIN, Use("COLON"), Use("SHARP"), nested, *refs)
    unquoted = but(_PLAIN, _QUOTES)
    more = Rep(Seq((_GAP, Alt((*unit, _PLUS)))), 0, most - 1)
    usual = Seq((Alt((unquoted, _PLUS, Use("SHARP"), nested)), more))
    quoted = _framed(chars(_QUOTES), Alt(unit), Alt((unquoted, Use("SHARP"), nested, *refs)), most)
    colon = Seq((Alt((Use("COLON"), *refs)), Rep(Seq((_GAP, Alt(unit))), 0, most - 1)))
    return Seq((Alt((usual, quoted, colon)), optional(Seq((_GAP, Use("LAST_COLON"))))))


def _answer(count: int, most: int) -> Piece:
    ref, colon_ref = Use(f"REF{count}"), Use(f"COLON_REF{count}")
    if not most:
        return Seq((ref, Rep(Seq((_any_of((", ", " ", " and ")), ref)), 0, _MORE_REFERENCES)))
    unit = Alt((_PLAIN, _PLUS, Use("COLON"), Use("SHARP")))
    tail_unit = Alt((but(_PLAIN, "0-9"), _PLUS))

    def tail(first: Chars) -> Piece:
        edge = but(first, _MARKS)
        last = but(_PLAIN, "0-9", _MARKS)
        return optional(Seq((_GAP, Alt((edge, _framed(first, tail_unit, last, _TAIL))))))

    between = Seq((Rep(Seq((_GAP, unit)), 0, most), _GAP, colon_ref))
    begin = but(_PLAIN, _QUOTES, _MARKS)
    lone = Seq((ref, tail(but(_PLAIN, "cC0-9.;,`*"))))
    several = Seq((Alt((begin, ref)), between, Rep(between, 0, _MORE_REFERENCES), tail(but(_PLAIN, "cC0-9"))))
    return Alt((lone, several))
