"""Settings: which source wins, what each value came from, and one clear sentence for what is wrong."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from airoagent.errors import UsageError
from airoagent.settings import Settings, cache_folder, config_folder, declared_settings, load_settings, state_folder


def config(tmp_path: Path, text: str) -> dict[str, str]:
    """An environment whose config file holds the text."""
    folder = tmp_path / "config"
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return {"AIRO_HOME": str(tmp_path)}


def test_without_any_source_every_setting_is_its_default(tmp_path: Path) -> None:
    settings = load_settings({}, {"AIRO_HOME": str(tmp_path)})
    assert settings == Settings()
    assert set(settings.origins) == {field.name for field in fields(Settings)} - {"origins", "mcp_servers"}
    assert set(settings.origins.values()) == {"default"}


def test_a_flag_beats_a_variable_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    environ = config(tmp_path, 'timeout = 1\nmax_tokens = 1\nretries = 1\nmodel = "filed"\n')
    environ |= {"AIRO_TIMEOUT": "2", "AIRO_MAX_TOKENS": "2"}
    settings = load_settings({"timeout": 3.0}, environ)
    file = str(tmp_path / "config" / "config.toml")
    assert (settings.timeout, settings.max_tokens, settings.retries, settings.top_p) == (3.0, 2, 1, 1.0)
    found = [settings.origins[name] for name in ("timeout", "max_tokens", "retries", "model", "top_p")]
    assert found == ["flag", "AIRO_MAX_TOKENS", file, file, "default"]


@pytest.mark.parametrize("absent", [None, ()])
def test_a_flag_that_was_not_given_replaces_nothing(tmp_path: Path, absent: object) -> None:
    settings = load_settings({"docs": absent}, {"AIRO_HOME": str(tmp_path), "AIRO_DOCS": "a"})
    assert (settings.docs, settings.origins["docs"]) == ((Path("a"),), "AIRO_DOCS")


def test_a_flag_may_turn_off_what_the_file_turned_on(tmp_path: Path) -> None:
    settings = load_settings({"web": False}, config(tmp_path, "web = true"))
    assert (settings.web, settings.origins["web"]) == (False, "flag")


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    settings = load_settings({}, {"AIRO_HOME": str(tmp_path), "AIRO_MODEL": "", "NO_COLOR": ""})
    assert (settings.model, settings.color) == ("extractive", "auto")


def test_folders_in_the_file_are_relative_to_it_and_those_of_a_flag_to_the_current_one(tmp_path: Path) -> None:
    environ = config(tmp_path, 'docs = ["library", "/srv/pages"]\ntools = "mine"\n')
    settings = load_settings({}, environ)
    assert settings.docs == (tmp_path / "config" / "library", Path("/srv/pages"))
    assert settings.tools == (tmp_path / "config" / "mine",)
    assert load_settings({"docs": ("library",)}, environ).docs == (Path("library"),)


def test_a_variable_holds_several_paths_or_words(tmp_path: Path) -> None:
    environ = {"AIRO_HOME": str(tmp_path), "AIRO_DOCS": "a:b c", "AIRO_ALLOW_PRIVATE": "intranet, nas"}
    settings = load_settings({}, environ)
    assert settings.docs == (Path("a"), Path("b c"))
    assert settings.allow_private == ("intranet", "nas")


def test_a_path_flag_keeps_its_colon() -> None:
    assert load_settings({"docs": ["a:b"]}, {"AIRO_HOME": "/nowhere"}).docs == (Path("a:b"),)


def test_no_color_is_obeyed_until_the_user_says_otherwise(tmp_path: Path) -> None:
    plain = load_settings({}, {"AIRO_HOME": str(tmp_path), "NO_COLOR": "1"})
    assert (plain.color, plain.origins["color"]) == ("never", "NO_COLOR")
    assert load_settings({"color": "always"}, {"AIRO_HOME": str(tmp_path), "NO_COLOR": "1"}).color == "always"
    assert load_settings({}, config(tmp_path, 'color = "always"') | {"NO_COLOR": "1"}).color == "always"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("web", "on", True),
        ("store", "No", False),
        ("seed", " 7 ", 7),
        ("timeout", "0", 0.0),
        ("temperature", "1e-1", 0.1),
        ("on_error", "skip", "skip"),
        ("model", "models/llama: the small one", "models/llama: the small one"),
    ],
)
def test_a_variable_is_read_as_its_setting_asks(tmp_path: Path, name: str, text: str, value: object) -> None:
    found = getattr(load_settings({}, {"AIRO_HOME": str(tmp_path), f"AIRO_{name.upper()}": text}), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("timeout", "soon", "AIRO_TIMEOUT must be a number of at least 0, not 'soon'"),
        ("timeout", "nan", "AIRO_TIMEOUT must be a number of at least 0, not 'nan'"),
        ("timeout", "inf", "AIRO_TIMEOUT must be a number of at least 0, not 'inf'"),
        ("timeout", "-1", "AIRO_TIMEOUT must be a number of at least 0, not '-1'"),
        ("top_p", "2", "AIRO_TOP_P must be a number from 0 to 1, not '2'"),
        ("max_tokens", "1.5", "AIRO_MAX_TOKENS must be a whole number of at least 1, not '1.5'"),
        ("concurrency", "0", "AIRO_CONCURRENCY must be a whole number of at least 1, not '0'"),
        ("seed", "9" * 5000, "AIRO_SEED must be a whole number from 0 to 4294967295, not '99999"),
        ("web", "maybe", "AIRO_WEB must be true or false, not 'maybe'"),
        ("on_error", "Stop", "AIRO_ON_ERROR must be one of stop, skip, tell, not 'Stop'"),
        ("model", "  ", "AIRO_MODEL must be text, not '  '"),
    ],
)
def test_a_wrong_variable_is_one_sentence(tmp_path: Path, name: str, text: str, wanted: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings({}, {"AIRO_HOME": str(tmp_path), f"AIRO_{name.upper()}": text})
    assert caught.value.message.startswith(wanted)
    assert len(caught.value.message) < 200
    assert caught.value.hint.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ('timeout = "5"', "timeout must be a number of at least 0, not '5'"),
        ("timeout = true", "timeout must be a number of at least 0, not True"),
        (f"timeout = 1{'0' * 400}", "timeout must be a number of at least 0, not 1000"),
        ("web = 1", "web must be true or false, not 1"),
        ("model = 7", "model must be text, not 7"),
        ("seed = 2020-01-01", "seed must be a whole number from 0 to 4294967295, not datetime.date(2020, 1, 1)"),
        ("docs = [1]", "docs must be a path or a list of paths, not [1]"),
        ('docs = [""]', "docs must be a path or a list of paths, not ['']"),
        ("[allow_private]\nhost = 1", "allow_private must be text or a list of texts, not {'host': 1}"),
        ('display = ["rich"]', "display must be one of auto, rich, plain, json, none, not ['rich']"),
    ],
)
def test_a_wrong_value_in_the_file_names_file_and_key(tmp_path: Path, line: str, wanted: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings({}, config(tmp_path, line))
    file = tmp_path / "config" / "config.toml"
    assert caught.value.message.startswith(f"{file}: {wanted}")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("key", "near"), [("timout", "timeout"), ("max-tokens", "max_tokens"), ("Model", "model")])
def test_an_unknown_key_in_the_file_is_told_with_the_nearest(tmp_path: Path, key: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"config.toml: unknown setting '{key}'") as caught:
        load_settings({}, config(tmp_path, f"{key} = 1"))
    assert caught.value.hint == f"did you mean {near}?"


def test_an_unknown_key_near_nothing_lists_the_settings(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings({}, config(tmp_path, "zzzzzz = 1"))
    assert "concurrency" in caught.value.hint


def test_origins_cannot_be_set_by_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown setting 'origins'"):
        load_settings({}, config(tmp_path, "[origins]\nmodel = 'x'"))


def test_an_unknown_flag_is_refused() -> None:
    with pytest.raises(UsageError, match="--time-out: unknown setting 'time_out'"):
        load_settings({"time_out": 1}, {"AIRO_HOME": "/nowhere"})


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"timeout = \nweb = true", "config.toml is not valid TOML: .*line 1, column"),
        (b"timeout = 1\ntimeout = 2", "config.toml is not valid TOML"),
        (b"model = '\xff'", r"config.toml is not UTF-8 text \(byte 9\)"),
    ],
)
def test_a_file_that_is_not_toml_is_one_sentence(tmp_path: Path, content: bytes, wanted: str) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=wanted):
        load_settings({}, {}, file)


def test_a_named_config_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing.toml cannot be read: No such file"):
        load_settings({}, {}, tmp_path / "missing.toml")


def test_a_config_file_that_is_a_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_settings({}, {}, tmp_path)


def test_a_named_config_file_is_read_instead_of_the_user_s(tmp_path: Path) -> None:
    environ = config(tmp_path, "retries = 5")
    named = tmp_path / "named.toml"
    named.write_text("concurrency = 3")
    settings = load_settings({}, environ, named)
    assert (settings.concurrency, settings.retries) == (3, 1)
    assert settings.origins["concurrency"] == str(named)


def test_nothing_is_read_from_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text("retries = 9")
    monkeypatch.chdir(tmp_path)
    assert load_settings({}, {"AIRO_HOME": str(tmp_path / "home")}).retries == 1


def test_airo_home_moves_the_three_folders_together(tmp_path: Path) -> None:
    environ = {"AIRO_HOME": str(tmp_path)}
    found = [folder(environ) for folder in (config_folder, state_folder, cache_folder)]
    assert found == [tmp_path / "config", tmp_path / "state", tmp_path / "cache"]
    assert not any(folder.exists() for folder in found)


def test_airo_home_may_be_relative_or_begin_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert config_folder({"AIRO_HOME": "here"}) == tmp_path / "here" / "config"
    assert config_folder({"AIRO_HOME": "~/airo"}) == tmp_path / "me" / "airo" / "config"
    assert config_folder({"AIRO_HOME": "~of-nobody-here"}) == tmp_path / "~of-nobody-here" / "config"


def test_the_folders_are_the_platform_s_own_without_airo_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AIRO_HOME", raising=False)
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    found = {folder().parent if folder().name == "airoagent" else folder() for folder in (config_folder, state_folder)}
    assert len(found) == 2
    assert cache_folder() != state_folder()


def test_every_setting_says_what_it_is() -> None:
    own = [field for field in fields(Settings) if field.name not in ("origins", "mcp_servers")]
    silent = [field.name for field in own if not declared_settings()[field.name][1].help]
    assert silent == []
