"""Table reads rows as records: values, sums, counts and rows of the user's documents and of earlier steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from airoagent import Agent, Run, ScriptedModel, tool
from tests.documents.test_sheets import number, row, sheet, text, xlsx


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "prices.csv").write_text(
        'name,price,year,port\nFjord,"1,240.50",1999,Oslo\nKelp,80,2004,Bergen\nTern,120.25,2010,Oslo\nGull,,2012,Bodø\n'
    )
    (folder / "eu.csv").write_text("Artikel;Preis (EUR);Datum\nA;1.240,50;2024-03-01\nB;80,25;2023-12-24\n")
    (folder / "notes.md").write_text(
        "# Ships\n\n| Ship | Crew size |\n|---|--:|\n| Ran | 12 |\n| Skadi | 30 |\n\nText.\n"
    )
    (folder / "gaps.csv").write_text(
        'item,amount,day\n"a\n\nb",2,01.02.2024\n,3,\n"q""t",,\nc\nd,=A1,\ne,1.2.3,\nf,6,,y\n'
    )
    (folder / "units.csv").write_text("item,weight,digits\na,10 kg,1e999\nb,500 g,2\nc,2 kg," + "9" * 5000 + "\n")
    (folder / "lands.csv").write_text(
        "land,people,cost per head,opened,at\nTrinidad and Tobago,1.4 million,2.345,2024-03-01,9:30\n"
        'U.S.,330 million,"12,5",2023-12-24T10:00,11:45\n"Ascension",900,"1.000,5",2024-01-05,10:05\nAtlantis,,,,\n'
    )
    (folder / "odd.csv").write_text(
        "name,weight,day,share\na,5,1 March 2024,0.1234567890123456789012345678901\nb,6 kg,24 December 2023,1\n"
    )
    (folder / "years.md").write_text(
        "# 2023\n\n| k | n |\n|---|---|\n| x | 1 |\n\n"
        "# 2024\n\n| k | n |\n|---|---|\n| x | 2000000 |\n| y | 1500001 |\n| z | 203 |\n"
    )
    return folder


def ask(query: str, data: Path | None = None, plan: str = ":evidence0: = Table[{}]\nAnswer: :evidence0:") -> Run:
    model = ScriptedModel({"plan": [plan.format(query)]})

    @tool
    def Fares(text: str) -> str:
        """Lists fares."""
        return "Fares of 2024:\n\nLine,Fare\nNorth,4.5\nSouth,6\n\nThat is all."

    return Agent(model, ["Table", Fares], docs=data or (), store=False).run("q")


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("prices.csv: max price", "1,240.50\nname | price | year | port\nFjord | 1,240.50 | 1999 | Oslo"),
        ("prices.csv: max price where year > 2000", "120.25\nname | price | year | port\nTern | 120.25 | 2010 | Oslo"),
        ("prices: lowest price", "80\nname | price | year | port\nKelp | 80 | 2004 | Bergen"),
        ("prices.csv: sum price", "1440.75"),
        ("prices.csv: average price where port = Oslo", "680.375"),
        ("prices.csv: mean of the price", "480.25"),
        ("prices.csv: count where port is Oslo and year >= 2000", "1"),
        ("prices.csv: how many rows where port != oslo", "2"),
        ("prices.csv: count price", "3"),
        ("prices.csv: count", "4"),
        ("prices.csv: name, price where price between 100 and 2000", "name | price\nFjord | 1,240.50\nTern | 120.25"),
        ("prices.csv: name and year where port contains BOD", "name | year\nGull | 2012"),
        ("prices.csv: price where name = Kelp", "price\n80"),
        ("prices.csv: sum price by port", "Oslo | 1360.75\nBergen | 80\nBodø | no numbers"),
        ("prices.csv: name where year < 1900", "There are no such rows."),
        ("docs://data/prices.csv: name where price > 1000", "name\nFjord"),
        ("eu.csv: total preis", "1320.75"),
        ("eu.csv: max Datum", "2024-03-01\nArtikel | Preis (EUR) | Datum\nA | 1.240,50 | 2024-03-01"),
        ("eu.csv: artikel where datum < 2024-01-01", "Artikel\nB"),
        ("gaps.csv: sum amount", "11"),
        ("gaps.csv: count", "7"),
        ("gaps.csv: item where amount = 2", "item\na b"),
        ("units.csv: sum weight where weight contains kg", "12"),
        ("units.csv: sum digits", "2"),
        ("notes.md: crew size where ship = skadi", "Crew size\n30"),
        ('lands.csv: people where land = "Trinidad and Tobago"', "people\n1.4 million"),
        ("lands.csv: people where land = U.S.", "people\n330 million"),
        ("lands.csv: sum people", "331400900"),
        ("lands.csv: land where people > 1,000,000", "land\nTrinidad and Tobago\nU.S."),
        ("lands.csv: sum cost per head", "3358"),
        ("lands.csv: land where opened = 2024", "land\nTrinidad and Tobago\nAscension"),
        ("lands.csv: land where opened > 2023", "land\nTrinidad and Tobago\nAscension"),
        ("lands.csv: land where opened <= 2023-12-24", "land\nU.S."),
        ("lands.csv: land where at < 10:00", "land\nTrinidad and Tobago"),
        ("lands.csv: land where people is empty", "land\nAtlantis"),
        ('lands.csv: count where people != ""', "3"),
        ("odd.csv: sum share", "1.1234567890123456789012345678901"),
        ("years.md: average n", "1166734.67"),
    ],
)
def test_a_table_of_the_documents_is_asked(data: Path, query: str, answer: str) -> None:
    run = ask(query, data)
    assert (run.status, run.answer) == ("done", answer)
    assert run.evidence["evidence0"].sources and run.evidence["evidence0"].private


def test_the_sheet_of_a_workbook_is_a_table(data: Path) -> None:
    (data / "crew.xlsx").write_bytes(
        xlsx(
            sheet(
                row(1, text("A1", "Name"), text("B1", "Age"))
                + row(2, text("A2", "Ann"), number("B2", 41))
                + row(3, text("A3", "Bo"), number("B3", 29))
            )
        )
    )
    assert ask("crew.xlsx: min age", data).answer == "29\nName | Age\nBo | 29"


def test_a_table_that_an_earlier_step_found_is_asked() -> None:
    plan = ":evidence0: = Fares[x]\n:evidence1: = Table[:evidence0:: max fare]\nAnswer: :evidence1:"
    assert ask("", plan=plan).answer == "6\nLine | Fare\nSouth | 6"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("prices.csv: max colour", "the table has no column 'colour'"),
        ("prices.csv: sum name", "'name' contains no numbers"),
        ("prices.csv: sum", "sum needs one column"),
        ("prices.csv: name where somewhere", "is not a condition"),
        ("nothing.csv: max x", "there is no document called 'nothing.csv'"),
        ("../secret.csv: max x", "there is no document called"),
        (": max x", "names no table"),
        ("eu.csv: sum datum", "contains dates"),
        ("units.csv: sum weight", "has several units: g, kg"),
        ("units.csv: count where item = a or item = b", "cannot be joined with or"),
        ("gaps.csv: count where day > 01.01.2024", "dates like 2024-03-01, can be compared"),
        ("odd.csv: count where day > 2023", "dates like 2024-03-01, can be compared, not 1 March 2024"),
        ("odd.csv: max weight", "has several units: none, kg"),
        ("odd.csv: count where weight > 5 g", "6 kg has another unit than 5 g"),
        ("prices.csv: sum by port", "sum needs one column"),
        ("prices.csv: name by port", "groups are for"),
        ("docs://data/long.csv: sum b", "too large to be read whole"),
    ],
)
def test_what_cannot_be_asked_is_said(data: Path, query: str, reason: str) -> None:
    if "long" in query:
        (data / "long.csv").write_text("a,b\n" + "x,1\n" * 2_100_000)
    run = ask(query, data)
    assert run.status == "failed" and reason in str([event for event in run.events if "failure" in dir(event)])


def test_it_is_offered_where_the_documents_hold_tables_and_where_it_is_named(data: Path, tmp_path: Path) -> None:
    model = ScriptedModel([])
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.md").write_text("Text.")
    assert "Table" in Agent(model, docs=data, store=False).toolbox
    assert "Table" in Agent(model, docs=data / "eu.csv", store=False).toolbox
    assert "Table" not in Agent(model, docs=tmp_path / "text", store=False).toolbox
    assert "Table" not in Agent(model, store=False).toolbox
    assert "Table" in Agent(model, ["+Table"], store=False).toolbox
    assert "Table" not in Agent(docs=tmp_path / "text", store=False).toolbox
    assert Agent(docs=data, store=False).run("How many rows are in gaps.csv?").answer == "7"


def test_what_is_left_out_of_a_sum_is_noted(data: Path) -> None:
    assert ask("gaps.csv: sum amount", data).evidence["evidence0"].note == (
        "4 of 7 rows have no number there; 1 rows have more cells than there are columns"
    )


def test_a_table_is_chosen_among_several_openly(data: Path) -> None:
    run = ask("years.md: max n where k = x", data)
    assert (run.answer or "").startswith("2000000\n")
    assert run.evidence["evidence0"].note == "2 tables have these columns: the longest was read"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The fares, sorted:\nLine,Fare\nNorth,4.5\nSouth,6", "10.5"),
        ("|\nLine,Fare\nNorth,4.5\nSouth,6", "10.5"),
        ("|\nNorth", None),
    ],
)
def test_a_line_that_leads_to_a_table_is_not_its_head(text: str, found: str | None) -> None:
    @tool
    def Fares(input: str) -> str:
        """Lists fares."""
        return text

    plan = ":evidence0: = Fares[x]\n:evidence1: = Table[:evidence0:: sum fare]\nAnswer: :evidence1:"
    run = Agent(ScriptedModel({"plan": [plan]}), ["Table", Fares], store=False).run("q")
    assert run.answer == found and ("there is no table" in str(run.events)) == (found is None)
