"""The options of the verbs: made from the settings, only those that a verb makes use of, old names still taken."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from airoagent import Policy
from airoagent.cli.app import VERBS, cli
from airoagent.cli.launch import make_agent, read_launch_settings
from airoagent.settings import declared_settings, load_settings, strange_variables
from tests.cli.conftest import LIBRARY, Airo

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
