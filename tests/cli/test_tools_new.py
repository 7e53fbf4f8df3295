"""``airo tools new``: a file that loads and runs as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Airo


def test_a_new_tool_is_twelve_lines_in_the_users_folder_and_runs_at_once(airo: Airo) -> None:
    made = airo("tools", "new", "WordCount")
    assert made.code == 0, made.err
    file = Path(made.out.strip())
    assert file.name == "word_count.py" and len(file.read_text().splitlines()) == 12
    assert "airo tools run WordCount" in made.err
    ran = airo("tools", "run", "WordCount", "how many words are these", "--no-store")
    assert (ran.code, ran.out) == (0, "5 words\n")
    assert "WordCount" in airo("tools").out


@pytest.mark.parametrize("place", ["", "deeper/own.py"])
def test_it_can_be_written_elsewhere(airo: Airo, tmp_path: Path, place: str) -> None:
    made = airo("tools", "new", "class", "--output", str(tmp_path / place))
    file = Path(made.out.strip())
    assert file == (tmp_path / place if place else tmp_path / "class_.py")
    assert f"--tools {file}" in made.err
    ran = airo("tools", "run", "class", "a b", "--tools", str(file), "--no-store")
    assert (ran.code, ran.out) == (0, "2 words\n")
    assert airo("tools", "run", "class", " ", "--tools", str(file), "--no-store").code == 5


def test_a_home_of_nobody_is_a_folder_like_any_other(
    airo: Airo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert airo("tools", "new", "WordCount", "--output", "~no-such-user").out == "~no-such-user/word_count.py\n"
    assert (tmp_path / "~no-such-user" / "word_count.py").is_file()


@pytest.mark.parametrize("name", ["", "two words", "../up", "a.b", "1st", "x" * 65, "TextScraper"])
def test_a_name_that_cannot_be_is_refused(airo: Airo, tmp_path: Path, name: str) -> None:
    made = airo("tools", "new", "--output", str(tmp_path), "--", name)
    assert made.code == 2 and made.err.count("\n") <= 3
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(airo: Airo, tmp_path: Path) -> None:
    (tmp_path / "ant.py").write_text("# mine")
    made = airo("tools", "new", "ant", "--output", str(tmp_path))
    assert made.code == 2 and "already exists" in made.err
    assert (tmp_path / "ant.py").read_text() == "# mine"
