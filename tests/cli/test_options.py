"""The options of the verbs: made from the settings, only those that a verb makes use of, old names still taken."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from airoagent import Policy
from airoagent.cli.app import VERBS, cli
from airoagent.cli.launch import make_agent, read_launch_settings
from airoagent.settings import config_folder, declared_settings, load_settings, strange_variables
from tests.cli.conftest import LIBRARY, REPO, Airo

SETTINGS = declared_settings()


@pytest.mark.parametrize("verb", ["ask", "batch", "resume", "rerun"])
def test_a_verb_that_plans_and_runs_takes_every_setting_that_has_a_flag(verb: str) -> None:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    taken = {param.name for param in command.params}
    assert {name for name, (_, one) in SETTINGS.items() if one.flag and one.group != "display"} <= taken


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        (
            "code",
            "--search nobody, --replan 3, --docs ., --web, -T Today, --approve, --cache 1, --free, --on-error skip",
        ),
        ("think", "--search brave, --replan 3, --docs ., --tools x.py, --concurrency 2, --answers free"),
        ("plan", "--timeout 3, --max-calls 3, --cache 1, --no-store, --on-error skip, --search brave, --spans on"),
        ("plan --check x.plan", "-m extractive, --seed 3, -o a b"),
        ("call", "--replan 3"),
        ("run x.plan", "--replan 3, --web"),
        ("fork", "--replan 3, --web"),
        ("tools run Today", "--replan 3, --concurrency 3, --web"),
        ("debug", "--replan 3, --no-store, --spans on"),
        ("why", "--replan 3, --timeout 3, -m extractive, --docs ."),
        ("replay", "-m extractive, --docs ., --timeout 3"),
        ("runs", "-m extractive"),
        ("config", "--timeout 3"),
    ],
)
def test_an_option_that_does_nothing_for_a_verb_is_refused(airo: Airo, verb: str, options: str) -> None:
    for option in options.split(", "):
        done = airo(*verb.split(), *option.split(), "q")
        assert (done.code, done.out) == (2, ""), option
        assert option.split()[0] in done.err or "does nothing" in done.err, option


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("view ID --port 3", "--port has no effect with the ID of a run"),
        ("view ID -m extractive", "--model has no effect with the ID of a run"),
        ("view -o page.html", "--output has no effect without the ID of a run"),
        ("ask --cache 10 --no-cache q", "--cache has no effect with --no-cache"),
        ("run x.plan --cache 10 --no-cache", "--cache has no effect with --no-cache"),
        ("ask --docs . --search brave q", "--search has no effect without --web"),
        ("ask --docs . --sites a.example q", "--sites has no effect without --web"),
        ("call --docs . --time-limit day q", "--time-limit has no effect without --web"),
        ("ask --time-limit day --search fixture:x.json q", "recorded results cannot be limited to a time"),
        ("ask --sites https://a.example/ q", "'https://a.example/' is not a site"),
        ("chat --docs . --search brave", "--search has no effect without --web"),
        ("call --docs . --search brave q", "--search has no effect without --web"),
        ("ask --web -T Calculator q", "--web has no effect with --tool"),
        ("ask --context x.txt --replan 2 q", "--replan has no effect with --context"),
        ("ask --context x.txt --web q", "--web has no effect with a text to answer from"),
        ("plan --check x.plan q", "QUESTION has no effect with --check"),
        ("plan --check x.plan --web", "--web has no effect with --check"),
        ("plan --fix q", "--fix has no effect without --check"),
        ("plan --check x.plan --fix --format dot", "--fix has no effect with --format"),
        ("plan --format dot --json q", "--format has no effect with --json"),
        ("run x.plan --replay-tools @last --no-cache", "--no-cache has no effect with --replay-tools"),
        ("call --dry-run --timeout 3 q", "--timeout has no effect with --dry-run"),
        ("think --all --json q", "--all has no effect with --json"),
        ("serve --mcp --port 8383", "--port has no effect with --mcp"),
        ("serve --mcp --key x", "--key has no effect with --mcp"),
        ("why --swap", "--swap has no effect without --bisect"),
        ("why --config c.toml", "--config has no effect without --bisect"),
        ("fork plans/nobel-literature.jsonl --edit evidence0=x --set evidence0=y", "--edit evidence0 has no effect"),
        ("train --make-data 3 --lr 0.1", "--lr has no effect with --make-data"),
        ("train data.jsonl --style chat", "--style has no effect without --make-data"),
        ("train data.jsonl --steps 3 --epochs 2", "--epochs has no effect with --steps"),
        ("tools --json list", "--json has no effect with a command after it"),
        ("tools --tools x.py show x", "--tools has no effect with a command after it"),
        ("models --json show extractive", "--json has no effect with a command after it"),
        ("models show airoboros-l2-13b-gpt4-2.0 -o bits 4", "-o has no effect on airoboros-l2-13b-gpt4-2.0"),
        ("pull smollm2 --revision x", "--revision has no effect on smollm2"),
    ],
)
def test_options_of_which_one_does_nothing_are_refused_together(
    airo: Airo, line: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPO)
    done = airo(*line.split())
    assert (done.code, done.out) == (2, "")
    assert words in done.err and "hint" in done.err and len(done.err.strip().splitlines()) <= 2


@pytest.mark.parametrize(
    ("line", "environ", "config"),
    [
        ("plan --docs {library} q", {"AIRO_SEARCH": "brave", "AIRO_CACHE": "9"}, ""),
        ("ask --docs {library} --no-cache q", {"AIRO_CACHE": "9"}, "search = 'brave'"),
        ("plan --check {plan}", {"AIRO_MODEL": "extractive", "AIRO_SEED": "3"}, "max_tokens = 9\nweb = true"),
        ("ask --docs {library} --search fixture:x q", {"AIRO_WEB": "1"}, ""),
        ("ask --docs {library} --search fixture:x q", {}, "web = true"),
        ("ask --search fixture:x q", {"AIRO_DOCS": LIBRARY}, ""),
        ("ask --docs {library} --search fixture:x -T +DuckDuckGo q", {}, ""),
        ("ask --docs {library} --web -T +Calculator q", {}, "search = 'fixture:x'"),
        ("why {trace}", {"AIRO_SEED": "3"}, "timeout = 3"),
    ],
)
def test_only_what_was_typed_is_refused(
    airo: Airo, line: str, environ: dict[str, str], config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_folder().mkdir(parents=True, exist_ok=True)
    (config_folder() / "config.toml").write_text(config)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    plans = REPO / "plans"
    files = {"library": LIBRARY, "plan": plans / "compare-two-lakes.plan", "trace": plans / "nobel-literature.jsonl"}
    done = airo(*line.format(**files).split())
    assert "no effect" not in done.err and (done.out or "record:" in done.err), done.err


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ("help", "view")])
def test_every_option_says_what_it_does_and_old_names_are_not_shown(airo: Airo, verb: str) -> None:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    assert all(param.help for param in command.params if isinstance(param, click.Option))
    assert "--max-bytes" not in airo(verb, "--help").out


def test_the_old_name_of_a_setting_is_taken_wherever_the_new_one_is(
    airo: Airo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.toml").write_text("max_bytes = 7\n")
    environ = {"AIRO_HOME": str(tmp_path)}
    assert load_settings({}, environ, tmp_path / "c.toml").max_characters == 7
    assert load_settings({}, environ | {"AIRO_MAX_BYTES": "8"}, tmp_path / "c.toml").max_characters == 8
    both = environ | {"AIRO_MAX_BYTES": "8", "AIRO_MAX_CHARACTERS": "9"}
    assert load_settings({}, both).max_characters == 9
    assert strange_variables(both) == {}
    for name in ("--max-bytes", "--max-characters"):
        done = airo("ask", "--docs", LIBRARY, name, "9", "How deep is Lake Baikal?")
        assert done.code == 7 and "--max-characters" in done.err
    begun = {"settings": {"max_bytes": 5}, "options": [], "named": [], "config_file": None, "files": {}}
    assert read_launch_settings(json.dumps(begun)).settings == {"max_characters": 5}


def test_a_setting_reaches_the_agent_and_is_kept_for_a_resumed_run(airo: Airo) -> None:
    values = {
        one.policy: 3
        for _, one in SETTINGS.values()
        if one.policy and one.policy not in ("on_error", "eager", "share_private")
    }
    flags = {name: 3 for name, (_, one) in SETTINGS.items() if one.policy in values}
    agent, _ = make_agent({**flags, "search": "brave", "display": "none"})
    assert {name: getattr(agent.policy, name) for name in values} == values
    assert agent.policy != Policy()
    kept = read_launch_settings(agent.session.started_with).settings
    assert {name: kept[name] for name in flags} == flags and kept["search"] == "brave"
    assert not {"display", "color", "spans", "store"} & set(kept)


def test_a_config_file_in_the_home_folder_is_kept_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "own.toml").write_text('display = "none"')
    agent, settings = make_agent({"config_file": "~/own.toml"})
    assert settings.display == "none"
    assert read_launch_settings(agent.session.started_with).config_file == str(tmp_path / "own.toml")
