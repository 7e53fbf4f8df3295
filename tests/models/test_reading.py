"""What the reader finds, by kind of question; what it refuses; and which neighbour it does not fall for."""

from __future__ import annotations

import pytest

from airoagent.models.english.passages import Block
from airoagent.models.reading import read, write_answer

TOWER = Block(
    "The Lattice Tower\n\n"
    "The Lattice Tower is a steel mast in Northport. Work began on 3 May 1921, and the tower was opened on "
    "12 June 1923 by Queen Ragna. It was designed by the engineer Ada Brandt, whose colleague Jon Lund added the "
    "arches. It is 212 metres tall and weighs 4,100 tonnes. The tower is made of riveted steel.\n\n"
    "Visitors\n\n"
    "Some 35,000 people climb it every year. They use 1,204 steps, because the lift was taken out in 1990.\n"
    "- Ticket: 7 euros\n"
    "- Opening hours: ten hours a day",
    (("url", "docs://tower.html"), ("title", "The Lattice Tower")),
)
BRIDGE = Block(
    "The Lattice Bridge\n\nThe Lattice Bridge in Southport was opened in 1931. It was designed by Olaf Dahl. "
    "It is 980 metres long.",
    (("url", "docs://bridge.html"), ("title", "The Lattice Bridge")),
)
PRIZES = Block(
    "Winners of the Northern Prize\n\n"
    "Year | Winner | Country | Work\n"
    "2018 | Mira Holt | Norway | The Salt Road\n"
    "2019 | Ivo Kask | Estonia | A House of Tin\n"
    "2020 | Lena Voss | Germany | Late Light",
    (("url", "docs://prizes.html"), ("title", "The Northern Prize")),
)
WRITER = Block(
    "Lena Voss\n\nLena Voss is a German novelist, born in Bremen on 4 March 1950. She studied law in Kiel. "
    'Her most famous work is the novel "Late Light", which appeared in 2017. She has two children.',
    (("url", "docs://voss.html"), ("title", "Lena Voss")),
)
ALL = [BRIDGE, TOWER, WRITER, PRIZES]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who designed the Lattice Tower?", "Ada Brandt"),
        ("Who designed the Lattice Bridge?", "Olaf Dahl"),
        ("Who added the arches to the Lattice Tower?", "Jon Lund"),
        ("By whom was the Lattice Tower opened?", "Queen Ragna"),
        ("When was the Lattice Tower opened?", "12 June 1923"),
        ("In what year was the Lattice Bridge opened?", "1931"),
        ("When did work on the Lattice Tower begin?", "3 May 1921"),
        ("Where is the Lattice Tower?", "Northport"),
        ("How tall is the Lattice Tower?", "212 metres"),
        ("How long is the Lattice Bridge?", "980 metres"),
        ("How heavy is the Lattice Tower?", "4,100 tonnes"),
        ("How many steps does the Lattice Tower have?", "1,204"),
        ("How many people climb the Lattice Tower every year?", "35,000 people"),
        ("How much does a ticket for the Lattice Tower cost?", "7 euros"),
        ("What is the Lattice Tower made of?", "riveted steel"),
        ("What is the Lattice Tower?", "a steel mast in Northport"),
        ("Why do visitors use steps at the Lattice Tower?", "because the lift was taken out in 1990"),
        ("Who won the Northern Prize in 2019?", "Ivo Kask"),
        ("Which country did the 2018 winner of the Northern Prize come from?", "Norway"),
        ("Where was Lena Voss born?", "Bremen"),
        ("What did Lena Voss study?", "law"),
        ("What is the most famous work of Lena Voss?", "Late Light"),
        ("How many children does Lena Voss have?", "two"),
        ("Is the Lattice Tower made of steel?", "Yes"),
        ("Which opened earlier, the Lattice Tower or the Lattice Bridge?", "the Lattice Tower"),
    ],
)
def test_the_short_answer_is_found_among_neighbours(question: str, answer: str) -> None:
    finding = read(ALL, question)
    assert finding is not None
    assert finding.text.removesuffix(" people") == answer.removesuffix(" people")


@pytest.mark.parametrize(
    "question",
    [
        "Who won the Northern Prize in 1987?",
        "Who painted the Lattice Tower's portrait of King Olaf?",
        "How tall is the Lattice Bridge?",
        "When did Ivo Kask die?",
        "What is the salary of Lena Voss?",
        "Who was the husband of Ada Brandt?",
        "How many people live in Southport?",
        "Who discovered penicillin?",
    ],
)
def test_what_is_not_there_is_not_answered(question: str) -> None:
    finding = read(ALL, question)
    assert finding is None, finding


def test_the_quote_is_the_sentence_the_answer_stands_in() -> None:
    finding = read(ALL, "How tall is the Lattice Tower?")
    assert finding is not None
    assert [q.text for q in finding.quotes] == ["It is 212 metres tall and weighs 4,100 tonnes."]
    assert ALL[finding.quotes[0].block] is TOWER


def test_both_parts_of_a_question_are_answered() -> None:
    finding = read(ALL, "Who won the Northern Prize in 2020 and what is their most famous work?")
    assert finding is not None
    assert finding.text == "Lena Voss; Late Light"
    assert len(finding.quotes) == 2


def test_a_pronoun_as_the_answer_is_given_its_name() -> None:
    page = Block(
        "Nora Finch\n\nNora Finch grew up in Hull. In 1961 she invented the folding oar.", (("title", "Nora Finch"),)
    )
    finding = read([page], "Who invented the folding oar?")
    assert finding is not None and finding.text == "Nora Finch"


def test_figures_given_in_the_question_are_compared() -> None:
    question = "Which is older, the Lattice Tower (1923) or the Lattice Bridge (1931)?"
    finding = read([Block("Nothing of note.")], question)
    assert finding is not None and finding.text.startswith("the Lattice Tower")


def test_a_summary_is_sentences_of_the_page_in_their_order() -> None:
    finding = read(ALL, "Tell me about the Lattice Tower.")
    assert finding is not None
    assert finding.text.startswith("The Lattice Tower is a steel mast in Northport.")
    places = [TOWER.text.find(quote.text) for quote in finding.quotes]
    assert 2 <= len(places) <= 4
    assert places == sorted(places) and -1 not in places


def test_the_items_under_a_line_are_the_list_it_announces() -> None:
    page = Block("Baltic ports\n\nThe ports of the line are:\n- Riga\n- Tallinn\n- Visby\n\nThe end came in 1940.")
    finding = read([page], "List the ports of the line.")
    assert finding is not None and finding.text == "Riga; Tallinn; Visby"


def test_an_abbreviation_is_spelled_out() -> None:
    page = Block("Readers use the write-ahead log (WAL) for speed. The WAL is a file.")
    finding = read([page], "What does WAL stand for?")
    assert finding is not None and finding.text == "write-ahead log"


def test_another_bearer_of_the_name_is_passed_over() -> None:
    page = Block(
        "His brother Karl Brandt died in Ulm in 1940. Ada Brandt died in Northport in 1951.",
        (("title", "The Brandts"),),
    )
    finding = read([page], "Where did Ada Brandt die?")
    assert finding is not None and finding.text == "Northport"


def test_wrapped_lines_are_read_as_sentences() -> None:
    page = Block(
        "The archive of the port was founded in the cold spring of the year\n1911 by Tove Berg, a teacher from the "
        "far north of the country, who\nkept it until her death."
    )
    finding = read([page], "Who founded the archive?")
    assert finding is not None and finding.text == "Tove Berg"
    assert "\n" not in finding.quotes[0].text


def test_where_no_span_is_certain_the_clause_is_the_answer() -> None:
    page = Block(
        "The Karst Mill\n\nThe Karst Mill began with oats and barley. Its wheel was carved from oak by a carpenter out "
        "of Kiel, the roof was thatched by two brothers who came over from the islands with their own reed, and the "
        "millstone was cut in the quarry of Dorn.",
        (("title", "The Karst Mill"),),
    )
    finding = read([page], "Which wood did the wheel of the Karst Mill consist of?")
    assert finding is not None
    assert "oak" in finding.text and len(finding.text.split()) <= 30


def test_a_title_keeps_its_article() -> None:
    page = Block(
        "Mira Holt\n\nMira Holt won the Northern Prize in 2018 with the novel The Salt Road.", (("title", "Mira Holt"),)
    )
    finding = read([page], "Which novel won Mira Holt the Northern Prize?")
    assert finding is not None and "The Salt Road" in finding.text


def test_a_page_of_contents_does_not_answer_for_the_page() -> None:
    contents = Block(
        "Reading room\n\nPages\n- The Lattice Tower: its height, its arches and its engineer\n- The Northern Prize",
        (("title", "Reading room"),),
    )
    finding = read([contents, *ALL], "How tall is the Lattice Tower and who designed it?")
    assert finding is not None and finding.text == "212 metres; Ada Brandt"


def test_a_doubled_question_mark_is_not_repeated() -> None:
    said = write_answer([BRIDGE], None, "Who was the husband of Ada Brandt?? Source? Don't make up answers.")
    assert said == "The given sources do not say: Who was the husband of Ada Brandt?"


def test_an_abbreviation_in_the_question_is_met_in_full_on_the_page() -> None:
    page = Block(
        "The Central Bell Office\n\nThe Central Bell Office was founded by Tove Berg in 1911.",
        (("title", "The Central Bell Office"),),
    )
    finding = read([BRIDGE, page], "Who founded the CBO?")
    assert finding is not None and finding.text == "Tove Berg"


def test_no_blocks_or_empty_blocks_give_nothing() -> None:
    assert read([], "Who?") is None
    assert read([Block("")], "Who designed it?") is None
    assert read([Block(" | \n#\n-\n")], "Who designed it?") is None
