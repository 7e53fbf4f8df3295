"""The README and the pages in docs/ are executed: every ``sh`` and ``python`` block runs by itself, in a copy of the
project.

A block is left out only where its fence says so and why (```` ```sh no-run: needs the network ````). The first two
``sh`` blocks of the README are the set-up, one command each; here the first runs without its ``pip install .`` (the
package is there already), and ``.ci/run`` runs the second as it stands.
"""

from __future__ import annotations

import os
import re
import runpy
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import airoagent
from airoagent import UsageError, open_model
from airoagent.cli.app import VERBS
from airoagent.settings import declared_settings, load_settings
from airoagent.toolbox.declared import declared_tools
from tests.source import ROOT, project_files, python_files

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page: the language and the rest of its fence, its text, the page and line it begins on."""

    language: str
    option: str
    text: str
    page: str
    line: int

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        return self.option == ""


def blocks_of(text: str, page: str) -> tuple[Block, ...]:
    """The fenced blocks of a Markdown text that are shell, Python, tools in YAML or settings in TOML."""
    found = []
    for match in FENCE.finditer(text):
        language, _, option = match["info"].strip().partition(" ")
        if language in ("sh", "bash", "shell", "console", "python", "py", "yaml", "toml"):
            found.append(Block(language, option.strip(), match["text"], page, text.count("\n", 0, match.start()) + 1))
    return tuple(found)


OTHER_PAGES = ("AGENTS.md", "CONTRIBUTING.md", "SECURITY.md")  # whose commands are not run
LANGUAGES = ("sh", "python", "yaml", "toml")
PAGES = [name for name in project_files() if name == "README.md" or re.fullmatch(r"docs/.+\.md", name)]
BLOCKS = [block for name in PAGES for block in blocks_of((ROOT / name).read_text(encoding="utf-8"), name)]
HOOKS = runpy.run_path(str(ROOT / "docs" / "site_hooks.py"))
SET_UP = [block for block in BLOCKS if block.language == "sh" and block.page == "README.md"][:2]


def test_the_fences_say_what_is_run() -> None:
    for block in BLOCKS:
        assert block.language in LANGUAGES, f"{block}: write one of {LANGUAGES}, so that the block is run"
        assert block.runs or re.match(r"no-run: \w.{8,}", block.option), f"{block}: say why: no-run: REASON"


def test_there_are_exactly_two_set_up_commands() -> None:
    for block in SET_UP:
        assert block.runs
        (command,) = block.text.splitlines()
        assert command.startswith("pip install ")
        assert " && " in command
    installing = [block for block in BLOCKS if block.runs and block not in SET_UP and "pip install" in block.text]
    assert [str(block) for block in installing] == []


def test_a_page_is_short_and_its_links_lead_to_files_of_the_project() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
    for page in (*PAGES, *OTHER_PAGES):
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", (ROOT / page).read_text(encoding="utf-8")):
            assert ((ROOT / page).parent / target).is_file(), f"{page}: {target}"


def test_the_first_command_answers_and_the_second_tests() -> None:
    first, second = (block.text.strip() for block in SET_UP)
    assert re.fullmatch(r'pip install \. && airo (ask )?--docs examples/library ".+\?"', first)
    assert re.fullmatch(r"pip install -c constraints\.txt '\.\[test\]' && python -m pytest", second)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, so that what a block writes is not written into it."""
    folder = tmp_path_factory.mktemp("readme") / "airoagent"
    for name in project_files():
        if not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment whose ``airo`` and ``python`` are this Python's, and whose ``pip`` installs nothing."""
    commands = {
        "airo": f'exec "{sys.executable}" -m airoagent "$@"',
        "python": f'exec "{sys.executable}" "$@"',
        "pip": '[ "$*" = "install ." ] || { echo "no block may run: pip $*" >&2; exit 1; }',
    }
    for name, script in commands.items():
        file = tmp_path / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRO_")}
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return kept | {"AIRO_HOME": str(tmp_path / "home"), "PATH": path, "PYTHONPATH": str(ROOT)}


def runnable(language: str) -> list[Block]:
    second = SET_UP[1:]
    return [block for block in BLOCKS if block.language == language and block.runs and block not in second]


def execute(command: list[str], folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=110
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


@pytest.mark.parametrize("block", runnable("sh"), ids=str)
def test_a_shell_block_runs(block: Block, project: Path, environ: dict[str, str]) -> None:
    execute(["bash", "-euo", "pipefail", "-c", block.text], project, environ)


@pytest.mark.parametrize("block", runnable("python"), ids=str)
def test_a_python_block_runs(block: Block, project: Path, environ: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(block.text, encoding="utf-8")
    execute([sys.executable, str(script)], project, environ)


@pytest.mark.parametrize("block", runnable("yaml"), ids=str)
def test_a_yaml_block_declares_a_tool(block: Block) -> None:
    assert declared_tools(block.text, Path(block.page))


@pytest.mark.parametrize("block", runnable("toml"), ids=str)
def test_a_toml_block_is_a_config_file(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(block.text, encoding="utf-8")
    load_settings(environ={}, config_file=file)


def test_the_first_command_gives_the_right_answer_with_its_source(project: Path, environ: dict[str, str]) -> None:
    done = execute(["bash", "-euo", "pipefail", "-c", SET_UP[0].text], project, environ)
    assert "Louise Glück" in done.stdout
    assert "Wild Iris" in done.stdout
    assert ".html" in done.stdout


def test_blocks_are_found_with_language_option_and_line() -> None:
    text = "a\n```sh\nx\n```\n\n```python no-run: needs a GPU\ny\n```\n```text\nno\n```\n"
    first, second = Block("sh", "", "x\n", "p.md", 2), Block("python", "no-run: needs a GPU", "y\n", "p.md", 6)
    assert blocks_of(text, "p.md") == (first, second)


@pytest.mark.parametrize(
    ("backend", "model"),
    [
        ("transformers", "owner/name"),
        ("gguf", "file.gguf"),
        ("server", "http://127.0.0.1:9"),
        ("scripted", "scripted:x"),
    ],
)
def test_the_page_about_models_lists_every_option_of_a_backend(backend: str, model: str) -> None:
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| {backend} \| (.*) \|$", page, re.MULTILINE)
    with pytest.raises(UsageError) as refused:
        open_model(model, options={"an unknown one": "1"})
    options = str(refused.value.hint).removeprefix("it has ").split(", ")
    assert [option for option in options if f"`{option}`" not in row] == []


def test_the_generated_pages_name_every_command_setting_event_and_public_name() -> None:
    text = {one.__name__: one() for one in HOOKS["GENERATED"].values()}
    assert [verb for verb in VERBS if f"## airo {verb}\n" not in text["commands"]] == []
    assert "### airo runs save-plan\n" in text["commands"]
    assert [name for name in declared_settings() if f"| `{name}` |" not in text["settings"]] == []
    assert "| `run_started` |" in text["trace_events"] and "plan_text" not in text["trace_events"]
    assert "| 8 | no answer found |" in text["exit_codes"] and "StoreError               6" in text["exit_codes"]
    assert "[INST] <<SYS>>" in text["prompts"] and ":evidence0: = " in text["prompts"]
    assert len(text["api"].split("::: ")) - 1 == len(airoagent.__all__)


def test_the_page_about_diagnostics_lists_every_kind_that_the_texts_of_the_tests_have() -> None:
    page = HOOKS["GENERATED"]["diagnostics"]()
    kinds = set()
    for file in (ROOT / "tests" / "malformed").rglob("*.json"):
        kinds |= set(re.findall(r'"(?:error: )?\d+:\d+ (\w+):', file.read_text(encoding="utf-8")))
    assert kinds and sorted(kind for kind in kinds if f"| `{kind}` |" not in page) == []


def test_a_page_asks_only_for_what_can_be_generated_and_is_in_the_contents_of_the_site() -> None:
    contents = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        assert "<!-- generated:" not in HOOKS["with_generated"](text), page
        assert page == "README.md" or f": {page.removeprefix('docs/')}\n" in contents, page


def test_on_the_site_a_block_that_is_not_run_is_a_block_all_the_same() -> None:
    for page in (*PAGES, *OTHER_PAGES):
        shown = HOOKS["with_generated"]((ROOT / page).read_text(encoding="utf-8"))
        heads = re.findall(r"^ *```+(.*)$", shown, flags=re.MULTILINE)
        assert [head for head in heads if not re.fullmatch(r"\w*", head)] == [], page


def test_the_site_is_searched_without_a_server_and_without_another_host() -> None:
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "\n  - offline" in site and "\n  polyfills: [iframe-worker.js]" in site and "https://" not in site
    assert "http" not in (ROOT / "docs" / "iframe-worker.js").read_text(encoding="utf-8")


def test_a_test_that_a_page_names_is_there() -> None:
    tests = "\n".join(file.read_text(encoding="utf-8") for file in python_files("tests"))
    for page in (*PAGES, *OTHER_PAGES):
        names = re.findall(r"`(test_\w+)`", (ROOT / page).read_text(encoding="utf-8"))
        assert [name for name in names if f"def {name}(" not in tests] == [], page


def test_a_page_is_in_plain_english() -> None:
    """Without the words that docs/glossary.md, the only page to name them, advises against."""
    dialect = re.compile(r"\b(told|begun|anew|afresh|is no (?!longer)|beside)\b")
    found = [
        f"{page}:{number}: {word[0]}"
        for page in (*PAGES, *OTHER_PAGES)
        for number, line in enumerate((ROOT / page).read_text(encoding="utf-8").splitlines(), 1)
        for word in dialect.finditer(re.sub(r"`[^`]*`", "", line))
        if page != "docs/glossary.md"
    ]
    assert found == []
