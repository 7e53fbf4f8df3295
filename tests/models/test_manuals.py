"""What the reader takes from manuals, guides, changelogs, tables and letters: small texts, one question each."""

from __future__ import annotations

import pytest

from airoagent.models.english.passages import Block
from airoagent.models.reading import read

MANUAL = Block(
    """The depot daemon

Options

-k
--keep
Keep the parcels after they were sent.

-j N
Send with N carriers at once. 0, the default, means one for each road.

Functions

depot.weigh(parcel, unit='g')
Return the weight of the parcel, as a number. If the scales are missing, return None.
New in version 2.3.

depot.sendall(parcels, *, timeout=5.0)
Send each of the parcels.
Parameters:
- timeout (float) – How many seconds to wait for a carrier that is away. Default seven seconds.

Settings

max_carriers (integer)
Sets how many carriers may be on the road. The default is typically 40 carriers, but may be less in winter.

Result codes

(5) DEPOT_BUSY
The DEPOT_BUSY result code indicates that the gate was held by another carrier.
To avoid DEPOT_BUSY errors, send in the morning.

Glossary

carrier
A person who takes parcels from the depot to the doors.
""",
    (("url", "docs://x/depot.html"), ("title", "The depot daemon")),
)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is the default value of max_carriers?", "40"),
        ("Since which version is there depot.weigh?", "2.3"),
        ("What does depot.weigh return?", "Return the weight of the parcel, as a number"),
        (
            "What does DEPOT_BUSY mean?",
            "The DEPOT_BUSY result code indicates that the gate was held by another carrier",
        ),
        ("Which option keeps the parcels?", "-k, --keep"),
        ("What is a carrier?", "A person who takes parcels from the depot to the doors"),
        ("How many seconds does depot.sendall wait for a carrier by default?", "seven seconds"),
    ],
)
def test_a_manual_is_read_as_terms_with_what_is_said_of_them(question: str, answer: str) -> None:
    found = read([MANUAL], question)
    assert found is not None and found.text == answer
    assert found.quotes


def test_a_term_that_the_manual_does_not_have_is_not_told() -> None:
    assert read([MANUAL], "What is the default value of max_gates?") is None


CHANGES = Block(
    """# Changelog

All changes to Ferret are listed here.

## [1.4.0] - 2022-03-09
### Added
- Reading of tide tables.

## [1.3.0] - 2021-11-30
### Changed
- Dropped support for Python 3.8.
""",
    (("title", "Changelog"),),
)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("When was Ferret 1.4.0 released?", "2022-03-09"),
        ("In which version of Ferret was support for Python 3.8 dropped?", "1.3.0"),
    ],
)
def test_a_changelog_tells_versions_and_their_dates(question: str, answer: str) -> None:
    found = read([CHANGES], question)
    assert found is not None and found.text == answer


FAQ = Block(
    """# Questions about the Hollow Street pool

**How many guests may I bring along?**
Up to three, of whom one may be a child.

**I have lost my key. What should I do?**
Ring the bell at the side door. A new key costs 4 pounds.

**When is the pool open?**
Monday to Friday from 7:00 to 19:00. On Sundays it is closed.
""",
    (("title", "Questions about the Hollow Street pool"),),
)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many guests can I bring to the pool?", "Up to three, of whom one may be a child"),
        ("What should I do when I have lost my key?", "Ring the bell at the side door. A new key costs 4 pounds"),
        ("Is the pool open on Sundays?", "No"),
    ],
)
def test_a_page_of_questions_answers_them_in_other_words(question: str, answer: str) -> None:
    found = read([FAQ], question)
    assert found is not None and found.text == answer


def test_what_to_do_is_the_sentence_that_gives_the_orders_and_the_next() -> None:
    guide = Block(
        "# Osprey 3 notes\n\n## Upgrading\n\nStop the service, run osprey-move and start it again. The move takes a "
        "minute.\n\n## Colours\n\nOsprey is blue.",
        (("title", "Osprey 3 notes"),),
    )
    found = read([guide], "How do I upgrade Osprey?")
    assert found is not None
    assert found.text == "Stop the service, run osprey-move and start it again. The move takes a minute"


@pytest.mark.parametrize(
    ("question", "answer"),
    [("How many benches are there per hall?", "1,600"), ("What is the default of the option --interval?", "60")],
)
def test_a_row_is_a_record(question: str, answer: str) -> None:
    table = Block(
        "Limits\n\nItem | Limit\nbenches per hall | 1,600\ndoors per hall | unlimited\n\nOptions of the program\n\n"
        "| Option | Default | Meaning |\n|---|---|---|\n| `--baud` | 9600 | speed of the line |\n"
        "| `--interval` | 60 | seconds between two readings |\n"
    )
    found = read([table], question)
    assert found is not None and found.text == answer


def test_a_share_in_words_is_a_number_with_its_unit() -> None:
    block = Block("Emmer, from the hills, makes up some sixty per cent of the harvest.", (("title", "Emmer"),))
    found = read([block], "What share of the harvest is Emmer?")
    assert found is not None and found.text == "sixty per cent"


def test_a_letter_tells_the_reason_in_a_sentence_of_its_own() -> None:
    block = Block("The mill will not open on the 11th as planned. The reason is a strike at the port.")
    found = read([block], "Why will the mill not open as planned?")
    assert found is not None and "strike at the port" in found.text


def test_days_between_two_given_dates_are_counted() -> None:
    question = "How many days are there between the start (16 July 1969) and the end (24 July 1969)?"
    found = read([Block("It began on 16 July 1969 and ended on 24 July 1969.")], question)
    assert found is not None and found.text == "8 days" and found.quotes
    assert read([Block("It began in 1969.")], question.replace("24 July 1969", "1970")) is None


def test_a_person_is_found_by_the_last_name_alone() -> None:
    block = Block("In 2000 D. Richard Hopp wrote an engine. Hopp also wrote Amber, the control system of the mill.")
    found = read([block], "What control system was written by Richard Hopp?")
    assert found is not None and "Amber" in found.text
