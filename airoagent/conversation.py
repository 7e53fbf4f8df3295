"""Questions that follow each other: each is a run of its own, with the one before it as its parent.

    talk = Conversation(agent)
    talk.ask("Who won the Nobel Prize in Literature in 2020?")
    talk.ask("And when was she born?")         # asked as: When was Louise Glück born?

A follow-up is completed from what was said before it is planned, so that its run stands alone: it can be replayed,
forked and compared like any other. A model that can reason is asked to write it out; where it cannot, pronouns and what
is left out are filled in by rule. Where a plan may reach the network, answers that stand on private text are never put
into a question: only the user's own earlier questions are used then.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from airoagent.agent import Agent
from airoagent.engine.context_texts import GIVEN_TEXT, Texts, plan_about, text_given, with_texts
from airoagent.engine.recorder import StartingPoint
from airoagent.engine.session import Session, Watch, asked_question
from airoagent.engine.structured import AnswerSchema, answer_schema
from airoagent.engine.sync import synchronous
from airoagent.errors import AiroError
from airoagent.frozen import frozen
from airoagent.models.base import Model, Prompt, complete
from airoagent.prompts.chat import Chat
from airoagent.prompts.own_text import own_text
from airoagent.records.run_record import Run

_MOST_TURNS: Final = 6  # that a follow-up is completed from
_LONGEST: Final = 300  # characters of an answer, and of a completed question


@frozen
class Turn:
    """A question as it was said and as it was asked, and the run that answered it."""

    said: str
    asked: str
    run: Run

    def quotable(self, private_too: bool) -> str:
        """The answer's first line, as far as it may go into another question; "" where private text may not."""
        private = any(found.private for found in self.run.evidence.values())
        if not self.run.answered or (private and not private_too):
            return ""
        return _ADDRESS.sub("", self.run.words.split("\n")[0])[:_LONGEST]


class Conversation:
    """One conversation with an agent; ``turns`` is what was said, oldest first."""

    def __init__(self, agent: Agent, past: str | Run | None = None) -> None:
        """``past`` is the recorded run to continue from, with the turns before it: a `Run`, an id, or ``@last``."""
        self.agent = agent
        self.turns: list[Turn] = [] if past is None else _turns_up_to(agent.session.load(past), agent.session)

    async def aask(
        self, text: str, *, context: Texts = (), schema: AnswerSchema = None, watch: Watch | None = None
    ) -> Run:
        """Ask a question, or a follow-up; the run has the question as it was asked.

        With ``context`` it is answered from that text alone, as is what follows it. ``schema`` is that of `Agent.run`.
        """
        last = self.turns[-1].run if self.turns else None
        texts = context or (_texts_of(last) if last is not None else {})
        asked = await self.completed(text, stays_here=bool(texts))
        said = "" if asked == text.strip() else text.strip()
        start = StartingPoint(parent="" if last is None else last.id, said=said)
        session = self.agent.session
        if schema is not None:
            session = replace(session, form=answer_schema(schema))
        if texts:
            plan, named = plan_about(texts)
            run = await with_texts(session.needing(()), named).run(asked_question(asked), plan, watch, start)
        else:
            run = await session.run(asked, watch=watch, start=start)
        self.turns.append(Turn(text, asked, run))
        return run

    ask = synchronous(aask)

    async def completed(self, text: str, *, stays_here: bool = False) -> str:
        """The text as a question that stands alone; ``stays_here``: no plan can send it off this machine."""
        if not self.turns:
            return text.strip()
        stays_here = stays_here or not any(tool.network is True for tool in self.agent.toolbox.values())
        before = [(turn.asked, turn.quotable(stays_here)) for turn in self.turns]
        return await standalone(self.agent.model, text, before)


async def standalone(model: Model, text: str, before: list[tuple[str, str]]) -> str:
    """A follow-up to (question, answer) pairs, oldest first, as a question that can be understood alone."""
    before = before[-_MOST_TURNS:]
    by_rule = completed(text, before)
    if by_rule == text.strip() or "think" not in model.info.purposes:
        return by_rule
    said = "\n".join(f"Question: {asked}\nAnswer: {answer or '(not shown)'}" for asked, answer in before)
    prompt = Prompt(Chat(_REWRITE, _EXAMPLES, f"{said}\nFollow-up: {text.strip()}"), "answer")
    prompt = replace(prompt, stop=("\n",))
    try:
        written = own_text((await complete(model, prompt)).text).strip().strip('"')
    except AiroError:  # the question itself will say what is wrong with the model
        return by_rule
    long_enough = len(written.split()) >= 3 and len(written) <= _LONGEST
    usable = long_enough and written.endswith("?") and "\n" not in written
    return written if usable else by_rule


def _turns_up_to(run: Run, session: Session) -> list[Turn]:
    """The turns that led to a recorded run, as far as there are records; a fork replaces its original."""
    runs, seen, parent = [run], {run.id, ""}, run.parent
    while parent not in seen and len(runs) < _MOST_TURNS:
        seen.add(parent)
        try:
            earlier = session.load(parent)
        except AiroError:  # removed, or recorded on another machine
            break
        if earlier.question != runs[0].question:
            runs.insert(0, earlier)
        parent = earlier.parent
    return [Turn(one.setting("said", one.question), one.question, one) for one in runs]


def _texts_of(run: Run) -> dict[str, str]:
    """The texts that a run answered from, by name."""
    steps = () if run.plan is None else run.plan.steps
    mine = [step for step in steps if step.tool == GIVEN_TEXT and step.id in run.evidence]
    return {step.input: text_given(run.evidence[step.id]) for step in mine}


_REWRITE: Final = (
    "Write the follow-up as one question that can be understood without what was said before. Write only the question."
)
_EXAMPLES: Final = (
    (
        "Question: Who painted Guernica?\nAnswer: Pablo Picasso.\nFollow-up: And where was he born?",
        "Where was Pablo Picasso born?",
    ),
    (
        "Question: How long is the Danube?\nAnswer: 2,850 km.\nFollow-up: What about the Rhine?",
        "How long is the Rhine?",
    ),
)

_ADDRESS = re.compile(r"\b\w+://\S+|\bwww\.\S+")  # a page reader would open one that stands in a question
_LEAD = re.compile(r"(?:and|but|so|ok(?:ay)?|then|also|what about|how about|and what about)\b[\s,]*", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(his|her|hers|its|their|theirs|he|she|it|they|him|them|that one|this one)\b", re.IGNORECASE)
_OF_PERSONS = frozenset({"he", "she", "him", "his", "her", "hers"})
_POSSESSIVE = frozenset({"his", "her", "its", "their", "hers", "theirs"})
_NAME = re.compile(
    r"(?:\b(?:the|The) )?\b[A-ZÀ-Þ][\w'’.-]*(?:\s+(?:of|the|de|van|von|and|in|for|on)?\s*[A-ZÀ-Þ\d][\w'’.-]*)*"
)
_YEAR = re.compile(r"\b(?:1\d{3}|20\d{2})\b")
_THING = re.compile(  # "Where is the flat?", "When does the lease end?"
    r"\b(?:(?:is|are) (?P<is>(?:the|my|our|your) [\w' -]{2,60})"
    r"|(?:do|does|did|can|will) (?P<does>(?:the|my|our|your) [\w' -]{2,60}) [\w-]+)[ ?.!]*$",
    re.IGNORECASE,
)
_MANY = re.compile(r"\b(?:do|did|can|will|are|were) ((?:[a-z'-]+ ){0,2}?(?!(?:this|his|its|us|as|was)\b)[a-z'-]+s)\b")
_PLURAL = frozenset({"they", "them", "their", "theirs"})
_OPEN_WORDS = frozenset({"who", "when", "where", "why", "how"})
_OPEN = re.compile(
    r"(?:(?:by|with|for|from|to|since|until) )?(?:whom?|when|where|why|how(?: long| often)?)", re.IGNORECASE
)
_QUESTION_WORDS = frozenset(
    {"who", "what", "when", "where", "why", "which", "how", "is", "are", "was", "were", "does", "do", "did", "can"}
    | {"could", "will", "would", "has", "have", "had", "and", "the", "a", "an"}
)


def completed(text: str, before: list[tuple[str, str]]) -> str:
    """A follow-up completed by rule from (question, answer) pairs, oldest first; as it is where nothing is missing.

    A pronoun takes the place of the last name that was spoken of; "What about X?" and "And in 2021?" ask the last
    question of something else, and "And where?" or "By whom?" asks the same with another question word.
    """
    text = text.strip()
    if not before:
        return text
    lead = _LEAD.match(text)
    rest = text[lead.end() :].strip() if lead else text
    word, (first, _, asked) = rest.rstrip("?!. "), before[-1][0].partition(" ")
    if _OPEN.fullmatch(word) and first.lower() in _OPEN_WORDS:
        return f"{_capital(word)} {asked}"
    if lead and len(rest.rstrip("?!. ").split()) <= 4 and not _asks(rest):
        return _asked_of(before[-1][0], rest.rstrip("?!. "))
    pronoun = _PRONOUN.search(rest)
    topic = "" if pronoun is None else _topic(before, pronoun[0].lower())
    if pronoun is not None and topic:
        owned = f"{topic}'" if topic.islower() and topic.endswith("s") else f"{topic}'s"
        name = owned if _owns(pronoun[0].lower(), rest, pronoun) else topic
        return _capital(rest[: pronoun.start()] + name + rest[pronoun.end() :])
    return _capital(rest) if lead and _asks(rest) else text


def _asks(text: str) -> bool:
    words = text.lower().split()
    return bool(words) and words[0] in _QUESTION_WORDS - {"the", "a", "an", "and"}


def _owns(word: str, text: str, pronoun: re.Match[str]) -> bool:
    """Whether the pronoun stands before what somebody has ("her books"), and not for the person ("saw her")."""
    return word in _POSSESSIVE and (word != "her" or re.match(r"\s+\w", text[pronoun.end() :]) is not None)


def _asked_of(question: str, other: str) -> str:
    """The last question, asked of something else."""
    bare = re.sub(r"^(?:in|of|for|at|on)\s+", "", other)
    if _YEAR.fullmatch(bare) and _YEAR.search(question):
        return _YEAR.sub(bare, question, count=1)
    names = [found for found in _NAME.finditer(question) if found[0].lower() not in _QUESTION_WORDS]
    if names:
        name = names[-1]
        return question[: name.start()] + bare + question[name.end() :]
    thing = _THING.search(question)
    if thing and re.match(r"(?:the|my|our|your) ", bare, re.IGNORECASE):
        at = thing.span("is" if thing["is"] else "does")
        return question[: at[0]] + bare + question[at[1] :]
    return f"{question.rstrip('?! .')} - {other}?"


def _topic(before: list[tuple[str, str]], pronoun: str) -> str:
    """The name that a pronoun stands for: a person is mostly whom the answer names, a thing what was asked about."""
    person = pronoun in _OF_PERSONS
    for question, answer in reversed(before):
        for text in (answer, question) if person else (question, answer):
            names = [found[0].rstrip(".'’") for found in _NAME.finditer(text)]
            names = [name for name in names if name.split()[0].lower() not in _QUESTION_WORDS or len(name.split()) > 1]
            names = [re.sub(r"^(?:Who|What|When|Where|Which|How|Is|Was|Did|Does)\s+", "", name) for name in names]
            if names:
                return max(names, key=len) if text is question else names[0]
            if not person and text is question and (thing := _THING.search(question)):
                return thing["is"] or thing["does"]
            if pronoun in _PLURAL and text is question and (many := _MANY.search(question)):
                return many[1]
    return ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
