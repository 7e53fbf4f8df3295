"""The cards' figures by quantisation."""

from __future__ import annotations

import json

import pytest

from airoagent.cli import main
from airoagent.models.catalog import CATALOGUE
from airoagent.models.local.gguf_file import quantised_sizes


def test_the_cards_figures_stand_as_they_are() -> None:
    small = {row.name: (row.file, row.memory) for row in quantised_sizes(6.7)}
    large = {row.name: (row.file, row.memory) for row in quantised_sizes(13.0)}
    assert (small["Q4_0"], large["Q4_0"]) == ((3.79, 6.29), (7.37, 9.87))
    assert (small["Q4_K_M"], large["Q4_K_M"]) == ((4.08, 6.58), (7.87, 10.37))
    assert (small["Q2_K"], large["Q8_0"]) == ((2.87, 5.37), (13.79, 16.29))
    assert list(small) == list(large)


def test_other_sizes_follow_in_proportion_and_say_that_no_card_gives_them() -> None:
    rows = quantised_sizes(69.0)
    assert not any(row.given for row in rows)
    assert {row.name: row.file for row in rows}["Q4_K_M"] == pytest.approx(41.77, abs=0.01)
    assert [row.file for row in rows] == sorted(row.file for row in rows)


def test_every_model_of_the_catalogue_has_figures_and_the_command_shows_them(capfd: pytest.CaptureFixture[str]) -> None:
    assert all(quantised_sizes(entry.parameters) for entry in CATALOGUE)
    with pytest.raises(SystemExit) as ended:
        main(["models", "show", "airoboros-l2-13b-gpt4-2.0"])
    assert ended.value.code == 0
    shown = json.loads(capfd.readouterr().out)
    row = next(row for row in shown["gguf"] if row["name"] == "Q4_K_M")
    assert (row["file"], row["memory"]) == (7.87, 10.37)
    assert row["fits"] in ("gpu", "cpu", "no", "unknown")
