"""The reader quotes the sentences that answer, word for word, and says so where none does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airoagent.extractive.quotes import best_lines, find_quotes, quoted_answer
from airoagent.prompts.context_prompts import ContextBlock, read_cited_answer

_PAIRS: dict[str, list[tuple[str, str, str | None]]] = json.loads(
    (Path(__file__).parents[1] / "data" / "short_texts.json").read_text("utf-8")
)
_ABOUT_TEXT = [pair for pairs in _PAIRS.values() for pair in pairs if pair[2] is not None]
_NOT_IN_TEXT = [pair for pairs in _PAIRS.values() for pair in pairs if pair[2] is None]


def page(text: str, title: str = "") -> ContextBlock:
    return ContextBlock(text, (("url", f"docs://{title or 'x'}"), *((("title", title),) if title else ())))


def quoted(blocks: list[ContextBlock], question: str) -> list[str]:
    return [quote.text for quote in find_quotes(blocks, f"{question} Source? Don't make up answers if you don't know.")]


def said(blocks: list[ContextBlock], question: str) -> str:
    return read_cited_answer(quoted_answer(blocks, question)).text


@pytest.mark.parametrize(("text", "question", "told"), _ABOUT_TEXT)
def test_what_a_short_text_says_is_quoted_as_it_stands(text: str, question: str, told: str) -> None:
    found = quoted([page(text)], question)
    assert found and all(quote in text for quote in found)
    assert told in ("Yes", "No") or told.lower() in " ".join(found).lower()


def test_most_of_what_a_short_text_does_not_say_is_refused() -> None:
    refused = sum(not quoted([page(text)], question) for text, question, _ in _NOT_IN_TEXT)
    assert refused >= 4, f"{refused} of {len(_NOT_IN_TEXT)}"


@pytest.mark.parametrize(
    "question",
    [
        "Who painted the Mona Lisa?",
        "Who opened the tower in 1921?",
        "How tall is the Tokyo Skytree?",
        "What is 12*7?",
        "Which airline flies to Lima?",
    ],
)
def test_another_subject_another_year_another_name_are_refused(question: str) -> None:
    tower = page(
        "The tower was designed by Stephen Sauvestre and opened in 1889. It is 330 metres tall.", "Eiffel Tower"
    )
    assert quoted([tower], question) == []
    answer = read_cited_answer(quoted_answer([tower], question))
    assert not answer.answered and answer.sources == () and question.rstrip("?") in answer.text


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("The workshop belongs to the parish of St Mary.", "What does the workshop cost?"),
        ("The workshop belongs to the parish of St Mary.", "When does the workshop open?"),
        ("Anna brings cake.", "When does Anna bring cake?"),
        ("Ben sells the eggs.", "How many eggs does Ben sell?"),
    ],
)
def test_a_question_for_a_number_or_a_time_is_not_answered_by_a_sentence_with_neither(text: str, question: str) -> None:
    assert quoted([page(text)], question) == []


def test_a_number_that_is_asked_for_is_found_in_the_next_sentence() -> None:
    text = "Anna rents the workshop of the parish. The rent is 300 euros a month."
    assert "300 euros" in " ".join(quoted([page(text)], "How much does the workshop rent for?"))
    assert "300 euros" in " ".join(quoted([page(text)], "How much rent does Anna pay?"))


def test_an_answer_has_at_most_three_sentences_and_ninety_words() -> None:
    text = " ".join(f"The mill at Varna {'grinds barley and rye ' * 6}in hall {n}." for n in range(1, 30))
    found = quoted([page(text)], "What does the mill at Varna make?")
    assert 1 <= len(found) <= 3 and sum(len(quote.split()) for quote in found) <= 90


def test_a_yes_or_no_question_gets_the_sentence_and_never_a_bare_word() -> None:
    text = "The office is open from Monday to Friday. On Sunday the office is closed."
    assert quoted([page(text)], "Is the office open on Sunday?")[0] == "On Sunday the office is closed."


def test_a_quote_that_says_not_is_an_answer() -> None:
    drink = page("The drink does not contain sugar. It is sold in glass bottles.")
    text = quoted_answer([drink], "Does the drink contain sugar?")
    assert read_cited_answer(text).answered and text.startswith("The drink does not contain sugar.")


def test_a_sentence_about_her_is_led_by_the_title_that_names_her() -> None:
    poet = page("Born in New York.\n\nIn 2020 she won the Nobel Prize in Literature.", "Louise Glück")
    assert said([poet], "When did Louise Glück win the Nobel Prize?").startswith(
        "Louise Glück: In 2020 she won the Nobel Prize in Literature."
    )


LAKES = "Lake | Depth | Length\nBaikal | 1,642 m | 636 km\nSuperior | 406 m | 563 km"


def test_the_cells_of_a_table_row_come_with_the_names_of_their_columns() -> None:
    answer = said([page(LAKES, "Lakes")], "How large is Lake Superior?")
    assert answer.startswith("Superior: Depth 406 m; Length 563 km.")
    assert quoted([page(LAKES, "Lakes")], "How large is Lake Superior?")[0] == "Superior | 406 m | 563 km"


def test_of_a_table_row_only_the_column_of_the_thing_asked_about_is_said() -> None:
    table = page("| Baikal | Superior\nDepth | 1,642 m | 406 m\nLength | 636 km | 563 km", "Lakes")
    assert said([table], "What is the length of Lake Superior?").startswith("Length: Superior 563 km.")


@pytest.mark.parametrize("columns", ["| Baikal | Superior", "| | Baikal | Superior |"])
def test_the_first_column_of_a_table_may_have_no_name(columns: str) -> None:
    row = "| Depth | 1,642 m | 406 m |" if columns.endswith("|") else "Depth | 1,642 m | 406 m"
    assert said([page(f"{columns}\n{row}", "Lakes")], "How deep is Lake Baikal?").startswith("Depth: Baikal 1,642 m.")


def test_a_table_row_with_other_cells_than_its_header_stays_as_it_is() -> None:
    table = page("Lake | Depth\nBaikal | 1,642 m | 636 km", "Lakes")
    assert said([table], "How deep is Lake Baikal?").startswith("Baikal | 1,642 m | 636 km")


def test_headings_and_tables_of_contents_are_not_quoted() -> None:
    text = "The Great Fire of London\n\nWhere the fire began\n\nIt began in a bakery in Pudding Lane near the bridge."
    index = page("Pages\n\nThe Great Fire of London\nApollo 11\n\nAll pages are free to read for everybody.", "Index")
    found = quoted([index, page(text, "The Great Fire of London")], "Where did the Great Fire of London begin?")
    assert found[0] == "It began in a bakery in Pudding Lane near the bridge."
    assert not {"The Great Fire of London", "Where the fire began", "Pages"} & set(found)


def test_wrapped_lines_of_a_text_are_one_sentence() -> None:
    text = "The lease of the workshop that Ann rents from the parish of\nSt Mary ends on 3 May 2027.\n"
    assert quoted([page(text)], "When does the lease end?") == [" ".join(text.split())]


def test_an_earlier_answer_in_brackets_lends_its_names_and_is_not_quoted_again() -> None:
    known = "On 8 October 2020 the Academy named Louise Glück."
    pages = [page(f"{known} The prize is old."), page("Her most famous work is The Wild Iris.", "Louise Glück")]
    pages.append(page("His most famous work is The Goalie.", "Peter Handke"))
    assert said(pages, f"What is their most famous work ({known})") == (
        "Louise Glück: Her most famous work is The Wild Iris."
    )


def test_a_summary_is_the_first_sentences() -> None:
    text = "Otters\n\nOtters are swimmers. There are thirteen species. They have two layers of fur. They eat fish."
    assert quoted([page(text, "Otters")], "Summarise the text")[0] == "Otters are swimmers."


TRIP = "Lisbon trip, 4-9 May\nFlight out at 06:40, seat 14C. Dinner with Rui on Thursday.\nBring Miso's papers."


@pytest.mark.parametrize("asked", ["Summarise the trip", "Summarise trip.txt", "Give me an overview of trip.txt"])
def test_a_summary_of_a_text_that_is_named_is_its_first_sentences(asked: str) -> None:
    block = ContextBlock(TRIP, (("url", "docs://notes/trip.txt"), ("title", "trip")))
    assert quoted([block], asked)[0] == "Flight out at 06:40, seat 14C."


def test_a_summary_of_something_in_a_text_is_what_is_said_of_it() -> None:
    block = ContextBlock(TRIP, (("url", "docs://notes/trip.txt"), ("title", "trip")))
    assert quoted([block], "Summarise what is known about Rui")[0] == "Dinner with Rui on Thursday."


def test_what_stands_under_the_next_heading_does_not_follow() -> None:
    text = "# Flat\n\nPets: one cat, agreed in writing.\n\n## Meters\n| Meter | Number |\n|---|---|\n| Gas | G4-77 |\n"
    assert quoted([page(text)], "Are pets allowed?") == ["Pets: one cat, agreed in writing."]


def test_another_row_of_the_table_is_not_quoted_with_the_one_that_is_asked_about() -> None:
    text = "## Meters\n| Meter | Number |\n|---|---|\n| Gas | G4-77120 |\n| Electricity | E-90455 |\n"
    assert quoted([page(text)], "What is the electricity meter number?") == ["| Electricity | E-90455 |"]


def test_a_page_that_was_found_twice_is_quoted_once() -> None:
    twice = [page("Anna brings cake. Ben brings the cake and tea.")] * 2
    assert len(quoted(twice, "Who brings cake?")) == len(set(quoted(twice, "Who brings cake?")))


MOON = (
    "Apollo 11: the first landing on the Moon\nApollo 11 was the first to land there. Apollo 10, in May 1969, was the "
    "rehearsal.\nThree days later it came down in the Pacific, on 24 July 1969. Apollo 12 landed in November 1969, "
    "four months after Apollo 11."
)


def test_a_sentence_about_another_of_a_numbered_kind_is_not_quoted() -> None:
    page = ContextBlock(MOON, (("title", "Apollo 11 | The Lamplight Reader"),))
    for question in ("When was Apollo 11 launched?", "When was the rehearsal of Apollo 11?"):
        assert not any("Apollo 10" in quote.text for quote in find_quotes([page], question))
    (quote,) = find_quotes([page], "When was the rehearsal, Apollo 10?")[:1]
    assert "May 1969" in quote.text


def test_a_page_s_own_title_is_not_quoted_though_it_has_a_figure() -> None:
    page = ContextBlock(f"Apollo 11 | The Lamplight Reader\n{MOON}", (("title", "Apollo 11 | The Lamplight Reader"),))
    quotes = find_quotes([page], "When was Apollo 11 the first to land there?")
    assert quotes and not any("landing on the Moon" in quote.text or "Reader" in quote.text for quote in quotes)


_FACTS = " ".join(f"The {word} mill has {at} floors and stands by the river." for at, word in enumerate("abcdefghij"))


def test_of_long_texts_the_lines_that_match_the_question_are_kept_in_their_order() -> None:
    blocks = [page(f"{_FACTS} The tower was finished in 1889. It is tall."), page(_FACTS, "other")]
    kept = best_lines(blocks, "When was the tower finished?")
    assert "The tower was finished in 1889." in kept[0].text.split("\n")
    assert kept[0].metadata == blocks[0].metadata
    assert sum(len(block.text) for block in kept) <= 400
    shown = "\n".join(block.text for block in kept).split("\n")
    everything = f"{blocks[0].text} {blocks[1].text}"
    assert [everything.index(line) for line in shown] == sorted(everything.index(line) for line in shown)


def test_short_texts_and_those_that_nothing_matches_are_kept_whole() -> None:
    short = (page("Otters sleep afloat. They eat fish."),)
    assert best_lines(short, "When was the tower finished?") == short
    long = (page(_FACTS), page(_FACTS))
    assert best_lines(long, "Who sings Yesterday?") == long


def test_a_line_about_her_is_read_with_the_name_of_its_page() -> None:
    kept = best_lines([page(f"{_FACTS} In 2020 she won the prize.", "Louise Glück")], "Who won the prize in 2020?")
    assert "Louise Glück: In 2020 she won the prize." in kept[0].text


def test_rows_keep_the_header_of_their_table() -> None:
    rows = "\n".join(f"| lake {name * 9} | {depth} m |" for depth, name in enumerate("abcdefghijklmnopqrst"))
    [kept] = best_lines([page(f"| name | depth |\n|---|---|\n{rows}")], "How deep is lake kkkkkkkkk?")
    lines = kept.text.split("\n")
    assert lines[0] == "| name | depth |" and "| lake kkkkkkkkk | 10 m |" in lines
    assert len(lines) < 20


def test_a_line_with_a_long_run_of_spaces_is_read_in_linear_time() -> None:
    block = ContextBlock(f"The mill was built{' ' * 200_000}in 1890.", (("title", "Mill"),))
    assert find_quotes([block], "When was the mill built?")[0].text.startswith("The mill was built")


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("The river Ense is 230 km long. The river Vell is a tributary of the Ense.", "How long is the river Vell?"),
        ("Mount Keld rises beside Mount Orr. Nobody lives there. The hut on Orr sleeps 30.", "How high is Keld?"),
    ],
)
def test_a_figure_of_something_else_that_is_named_is_not_an_answer(text: str, question: str) -> None:
    assert quoted([page(text)], question) == []


def test_a_figure_of_what_is_asked_about_is_one_by_a_pronoun_too_and_in_words() -> None:
    text = "The river Vell flows into the Ense. It is 40 km long. The Ense is 230 km long."
    assert "It is 40 km long." in quoted([page(text)], "How long is the river Vell?")
    assert quoted([page("The lighthouse of Keld is forty metres high.")], "How high is the lighthouse of Keld?")
    assert quoted([page("Ninety-two ships lie in the bay of Keld.")], "How many ships lie in the bay of Keld?")


def test_a_line_with_another_form_of_the_asked_word_is_kept() -> None:
    kept = best_lines([page(f"{_FACTS} The architects chose granite.")], "What was the architecture made of?")
    assert "The architects chose granite." in kept[0].text


@pytest.mark.parametrize(
    "question",
    [
        "When was the boiler serviced?",
        "Who repaired the roof?",
        "When does the warranty end?",
        "What is the capital of Serbia?",
        "Where is the spare key?",
    ],
)
def test_a_text_that_has_only_the_less_telling_of_two_words_is_no_answer(question: str) -> None:
    text = (
        "In 1852 Radhanath Sikdar served in the Survey of India. They repaired the fort, and the war ended in 1945. "
        "Serbia was at war. He lost a key in Paris."
    )
    assert quoted([page(text)], question) == []


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which colour is the cat?", "The cat is red."),
        ("What is the phone number?", "Phone: 555-0142."),
        ("When must it be paid?", "Please pay by 14 March."),
        ("How much is the rent?", "The rent is 480 euros a month."),
        ("How long is the warranty?", "The warranty is two years."),
        ("When was this edict issued?", "The edict of 1762 freed the nobles."),
    ],
)
def test_a_verb_and_the_kind_of_thing_that_is_asked_for_need_not_be_in_the_text(question: str, answer: str) -> None:
    assert quoted([page(f"The market is closed today. {answer} There is bread.")], question)[:1] == [answer]


def test_quotes_that_are_no_sentences_are_kept_apart() -> None:
    diary = page("- 1 May: sowed beans\n- 2 June: planted beans out\n- 3 August: picked beans")
    assert said([diary], "What happened to the beans?").count("; ") == 2


def test_the_ending_of_a_files_name_is_not_looked_for_in_it() -> None:
    costs = ContextBlock("what | amount\nflowers | 25.00\npaper | 12.40", (("title", "costs"),))
    assert quoted([costs], "What does costs.csv say about flowers?") == ["flowers | 25.00"]
