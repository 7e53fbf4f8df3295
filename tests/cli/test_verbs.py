"""The other verbs: plan, run, runs, tools, models, doctor, config, and the help."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import click
import pytest

from airoagent.cli.app import VERBS, cli
from airoagent.events import RunStarted
from airoagent.models.catalog import CATALOGUE
from airoagent.models.packaged import packaged_file
from airoagent.records.store import Store
from airoagent.settings import state_folder
from tests.cli.conftest import LIBRARY, Airo
from tests.modelserver import as_json, serving

QUESTION = "Where do otters sleep?"
Script = Callable[..., str]


def test_plan_piped_into_run_is_ask(shell: Airo) -> None:
    plan = shell("plan", "--docs", LIBRARY, QUESTION)
    assert plan.code == 0 and plan.out.startswith("Plan: ") and "Answer: " in plan.out and plan.err == ""
    assert shell("run", "--docs", LIBRARY, "-", input=plan.out).out == shell("--docs", LIBRARY, QUESTION).out


def test_plan_prints_what_the_model_wrote_and_tells_repairs_on_stderr(airo: Airo, script: Script, tools: str) -> None:
    text = "Plan: say\n#E1 = Echo[hello]\nFinal answer: #E1"
    result = airo("plan", "-m", script(text), "--tools", tools, "q")
    assert result.out == text + "\n" and "plan:2:7: " in result.err
    record = json.loads(airo("plan", "-m", script(text), "--tools", tools, "--json", "q").out)
    assert record["written"] == text and record["steps"][0]["tool"] == "echo"


def test_run_takes_a_file_and_refuses_a_bad_one_with_its_place(airo: Airo, tools: str, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.plan", tmp_path / "bad.plan"
    good.write_text(":evidence0: = echo[hi]\nAnswer: :evidence0:\n")
    bad.write_text(":evidence0: = echo[:evidence7:]\nAnswer: :evidence0:\n")
    assert airo("run", "--tools", tools, str(good)).out == "hi\n"
    result = airo("run", "--tools", tools, str(bad))
    assert result.code == 4 and "^" in result.err
    assert (
        result.err.count("which is not a step") == result.err.count("error: ") == 1
    )  # and not once more below the caret
    assert "which is not a step" not in airo("plan", "--check", "--tools", tools, str(bad)).err


def test_of_long_texts_a_run_is_shown_with_the_first_lines(airo: Airo, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("\n\n".join(f"Otters have {number} names." for number in range(40)))
    airo("--docs", str(tmp_path), "How many names do otters have?")
    short, whole = airo("runs", "show", "@last").out, airo("runs", "show", "-v", "@last").out
    assert "more lines; -v prints them)" in short and "more lines" not in whole
    assert "  > Otters have 39 names." in whole and "  > Otters have 39 names." not in short


def test_runs_are_listed_shown_exported_removed_and_imported(
    airo: Airo, script: Script, tools: str, tmp_path: Path
) -> None:
    model = script(":evidence0: = echo[hello]\nAnswer: :evidence0:")
    airo("-m", model, "--tools", tools, "say hello")
    airo("-m", model, "--tools", tools, "say it again")
    rows = [json.loads(line) for line in airo("runs", "--json").out.splitlines()]
    assert [row["question"] for row in rows] == ["say it again", "say hello"]
    assert "say hello" in airo("runs", "-q", "HELLO", "-n", "5").out
    assert airo("runs", "list", "-n", "1").out.count("\n") == 1
    old = rows[1]["id"]
    story = airo("runs", "show", old).out
    assert "question: say hello" in story and "< hello" in story and "> hello" in story
    trace = tmp_path / "run.jsonl"
    assert airo("runs", "export", old, "-o", str(trace)).code == 0
    assert json.loads(trace.read_text().splitlines()[0])["format"] == "airoagent-trace"
    assert airo("runs", "show", str(trace)).out == story
    assert airo("runs", "import", str(trace)).code == 6
    assert airo("runs", "rm", old).code == 0
    assert airo("runs", "show", old).code == 6
    assert airo("runs", "import", str(trace)).code == 0
    assert airo("runs", "show", old).out == story
    assert airo("runs", "path").out.strip().endswith("runs.sqlite3")


def test_a_run_that_is_being_driven_is_not_removed(airo: Airo) -> None:
    store = Store(state_folder() / "runs.sqlite3")
    store.append("20260101-000000-aaaaa", 0, RunStarted(run="20260101-000000-aaaaa", question="q", model="m"))
    refused = airo("runs", "rm", "2026")
    assert refused.code == 6 and "still going" in refused.err
    store.close()
    assert airo("runs", "rm", "2026").code == 0


def test_a_trace_whose_name_could_do_something_to_a_terminal_is_not_imported(airo: Airo, tmp_path: Path) -> None:
    trace = tmp_path / "run.jsonl"
    started = {"type": "run_started", "run": "\x1b[2Jx", "question": "q", "model": "m", "at": 1.0}
    trace.write_text('{"format": "airoagent-trace", "version": 1}\n' + json.dumps(started))
    refused = airo("runs", "import", str(trace))
    assert refused.code == 6 and "\x1b[2J" not in refused.err
    assert airo("runs", "--json").out == ""


def test_tools_are_listed_with_their_file_and_broken_ones_told(airo: Airo, tools: str, tmp_path: Path) -> None:
    listing = airo("tools", "--tools", tools)
    assert listing.code == 0
    for name in ("DuckDuckGo", "TextScraper", "HyperlinkExtractor", "KnowledgeModel", "DocumentSearch", "echo"):
        assert f"{name} " in listing.out
    assert tools in listing.out
    rows = [json.loads(line) for line in airo("tools", "list", "--json", "--tools", tools).out.splitlines()]
    assert {row["name"]: row["side_effects"] for row in rows}["send"] is True
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "good.py").write_text(Path(tools).read_text())
    (folder / "broken.py").write_text("def (:\n")
    assert "SyntaxError" in airo("tools", "--tools", str(folder)).out


def test_one_tool_is_shown_and_tried(airo: Airo, tools: str) -> None:
    assert json.loads(airo("tools", "show", "--tools", tools, "echo").out)["parameters"][0]["name"] == "text"
    assert airo("tools", "run", "--tools", tools, "echo", "hi [there]").out == "hi [there]\n"
    found = airo("tools", "run", "DocumentSearch", "--docs", LIBRARY, "otters")
    assert found.code == 0 and "docs://library/" in found.out
    assert "nearest" in airo("tools", "show", "Ekko").err or "there is no tool" in airo("tools", "show", "Ekko").err


def test_models_says_honestly_what_the_default_is_and_what_else_there_is(airo: Airo) -> None:
    listing = airo("models").out
    assert listing.startswith("extractive") and "no weights" in listing and "airoboros-l2-13b-gpt4-2.0" in listing
    out = airo("models", "show", "airoboros-l2-13b-gpt4-2.0").out
    shown = json.loads(out)
    assert shown["context"] == 4096 and shown["repo"] == "jondurbin/airoboros-l2-13b-gpt4-2.0"
    assert len(out.splitlines()) == len(shown) + len(shown["gguf"]) + 3  # a line for each value and each quantisation
    assert all(json.loads(line) for line in airo("models", "list", "--json").out.splitlines())


def test_doctor_is_well_with_the_built_in_model_and_names_the_cure_for_one_that_is_not_here(airo: Airo) -> None:
    well = airo("doctor")
    assert well.code == 0 and "python" in well.out and "model extractive" in well.out
    ill = airo("doctor", "-m", "jondurbin/airoboros-l2-13b-gpt4-2.0")
    assert ill.code == 3 and "->" in ill.out


def test_doctor_recommends_16_bits_where_a_cpu_has_the_memory_for_them(
    airo: Airo, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = [json.loads(line) for line in airo("doctor", "--json", "-m", str(tiny_llama)).out.splitlines()]
    (model,) = (one for one in found if one["subject"].startswith("model "))
    assert model["well"] and model["seen"].endswith(
        " GB fit memory whole, which is faster on a CPU: -o bits 16, or a GGUF file"
    )


@pytest.mark.parametrize(("program", "variable"), [("ollama", "OLLAMA_HOST"), ("LMStudio", "LMSTUDIO_HOST")])
def test_doctor_asks_the_local_server_of_a_model_and_needs_no_package_for_it(
    airo: Airo, program: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving({"/v1/models": as_json({"data": [{"id": "qwen3"}]})}) as served:
        monkeypatch.setenv(variable, served.url)
        found = [json.loads(line) for line in airo("doctor", "--json", "-m", f"{program}:qwen3").out.splitlines()]
        assert served.requests
    assert [one["subject"] for one in found if one["needed"]] == [f"model {program}:qwen3"]
    gone = airo("doctor", "-m", f"{program}:qwen3")
    assert gone.code == 3 and re.search(rf"^no  model {program}:qwen3 .*->", gone.out, re.MULTILINE)


def seem_downloaded() -> None:
    """An empty file where the small model would be."""
    file = packaged_file("smollm2")
    file.parent.mkdir(parents=True)
    file.touch()


def test_a_call_that_a_plan_repeats_is_made_once_and_shown_as_the_same(airo: Airo, tmp_path: Path) -> None:
    plan = tmp_path / "plan.txt"
    plan.write_text(
        ":evidence0: = Calculator[2 + 3]\n:evidence1: = Calculator[2 + 3]\n:evidence2: = Calculator[2 + 4]\n"
        "Answer: :evidence0: :evidence1: :evidence2:\n",
        encoding="utf-8",
    )
    done = airo("run", plan)
    assert done.out == "5 5 6\n"
    steps = [line for line in done.err.splitlines() if re.match(r".? *evidence\d  Calculator", line)]
    assert ["the same call as above" in line for line in steps] == [False, True, False]


def test_models_fits_in_eighty_columns_and_lists_what_does_not_fit_last(airo: Airo) -> None:
    lines = airo("models").out.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.endswith("too large") for line in lines if re.search(r" \d+\.\d GB +\d+k", line)]
    assert len(rows) == len(CATALOGUE) and rows == sorted(rows)


def test_models_lists_style_and_licence_of_each(airo: Airo) -> None:
    out = airo("models").out
    assert re.search(r"^Qwen3-0.6B +0.9 GB +40k chat +Apache-2.0 ", out, re.MULTILINE)
    assert re.search(r"^airoboros-l2-7b-2.1 +6.3 GB +4k airoboros Llama 2 ", out, re.MULTILINE)
    rows = [json.loads(line) for line in airo("models", "--json").out.splitlines()]
    models = [row["model"] for row in rows if "model" in row]
    keys = {"name", "memory", "context", "style", "licence"}
    assert len(models) == len(CATALOGUE) + 1 and all(keys <= model.keys() for model in models)
    assert all({"cached", "fits"} <= row.keys() for row in rows if "model" in row)


def test_pull_names_the_models_most_like_an_unknown_one(airo: Airo) -> None:
    missing = airo("pull", "smolm2")
    assert missing.code == 3 and "there is no model 'smolm2'" in missing.err and "smollm2" in missing.err


def test_models_and_doctor_name_what_other_programs_have_fetched(
    airo: Airo, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(own_home))
    assert "ALREADY HERE" not in airo("models").out
    file = own_home / ".lmstudio" / "models" / "ada" / "tiny" / "tiny.gguf"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"GGUF" + bytes(150_000_000))
    name = "~/.lmstudio/models/ada/tiny/tiny.gguf"
    assert f"  0.2 GB  LM Studio     {name}\n" in airo("models").out
    assert re.search(rf"^ok  models .*{name}$", airo("doctor").out, re.MULTILINE)
    (row,) = (json.loads(line) for line in airo("models", "--json").out.splitlines() if name in line)
    assert (row["model"]["name"], row["cached"], row["model"]["file"]) == (name, True, str(file))


def test_models_shows_whether_the_small_model_is_downloaded(airo: Airo) -> None:
    assert re.search(r"^smollm2 .* not downloaded$", airo("models").out, re.MULTILINE)
    seem_downloaded()
    assert re.search(r"^smollm2 .*  downloaded$", airo("models").out, re.MULTILINE)
    (row,) = (row for line in airo("models", "--json").out.splitlines() if '"name": "smollm2"' in (row := line))
    assert json.loads(row)["cached"] is True


def test_doctor_recommends_a_small_model_until_one_is_downloaded(
    airo: Airo, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(own_home))  # without the models that LM Studio may have here
    assert re.search(r"^no  models .*-> airo pull smollm2", airo("doctor").out, re.MULTILINE)
    seem_downloaded()
    assert re.search(r"^ok  models .*smollm2$", airo("doctor").out, re.MULTILINE)


@pytest.mark.parametrize(
    ("model", "needed"),
    [
        ("x.gguf", {"xllamacpp"}),
        ("org/name", {"torch", "transformers", "bitsandbytes", "accelerate"}),
        ("extractive", set()),
        ("http://127.0.0.1:9", set()),
        ("ollama:qwen3", set()),
        ("LMStudio:qwen3", set()),
        ("smollm2", {"xllamacpp"}),
    ],
)
def test_doctor_tells_the_packages_that_a_model_cannot_load_without_from_the_others(
    airo: Airo, monkeypatch: pytest.MonkeyPatch, model: str, needed: set[str]
) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("airoagent.cli.environment.version", missing)
    found = [json.loads(line) for line in airo("doctor", "--json", "-m", model).out.splitlines()]
    packages = {one["subject"]: one for one in found if one["seen"].startswith("not installed")}
    assert {name for name, one in packages.items() if one["needed"]} == needed
    assert {"xllamacpp", "torch", "llguidance", "trafilatura", "protego"} <= set(packages)
    assert all(one["cure"].startswith("pip install ") for one in packages.values())


def test_config_shows_each_setting_and_its_origin(airo: Airo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRO_RETRIES", "7")
    record = json.loads(airo("config", "--json").out)
    assert record["settings"]["retries"] == {"value": 7, "origin": "AIRO_RETRIES"}
    assert "retries" in airo("config").out


def test_help_lists_every_verb_and_each_has_help_of_its_own(airo: Airo) -> None:
    text = airo("--help").out
    for verb in VERBS:
        assert f"  {verb}" in text
        assert airo(verb, "--help").code == 0
        command = cli.get_command(click.Context(cli), verb)
        assert command is not None and command.help
    assert airo("-h").out == text and airo().out == text
    assert airo("--version").out.startswith("airo")
