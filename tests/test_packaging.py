"""The package as users get it: from a wheel, an sdist, an editable install and a bare checkout, the same tools.

Everything is built and installed for real, with the build back end that is installed and without a network.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.source import ROOT, project_files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PROBE = """
import hashlib, json
from importlib.metadata import files
from pathlib import Path
import airoagent
from airoagent.toolbox.loader import bundle_folder, find_tools

def content(folder):
    listed = sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in listed}

found = find_tools(config_folder=None)
print(json.dumps({
    "package": str(Path(airoagent.__file__).parent),
    "bundle": str(bundle_folder("tools")),
    "tools": [[one.name, one.description, one.side_effects, Path(one.origin).name] for one in found.toolbox.values()],
    "broken": [[told.origin, told.error] for told in found.broken],
    "files": {kind: content(bundle_folder(kind)) for kind in ("tools", "plans")},
}))
"""


def run(command: list[str], cwd: Path, **environ: str) -> str:
    """Run a command to its end; its output, or a failed test that shows it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=kept | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=200,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True, slots=True)
class Install:
    """A virtual environment with airoagent in it, beside the dependencies that this Python has."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, *packages: Path) -> Install:
        """An environment with these wheels installed and nothing fetched."""
        run([sys.executable, "-m", "venv", "--without-pip", str(folder)], folder.parent)
        install = cls(folder)
        site = run([install.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder).strip()
        pip = [sys.executable, "-m", "pip", "--python", install.python, "--quiet", "install", "--no-deps", "--no-index"]
        for package in packages:
            run([*pip, str(package)], folder)
        # Only now, since pip would take an airoagent that lies beside the dependencies for this one; and by name the
        # last of the .pth files, so that what is installed here comes before what lies there.
        (Path(site) / "zz_dependencies.pth").write_text(f"{Path(pytest.__file__).parent.parent}\n")
        return install

    @property
    def python(self) -> str:
        return str(self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))

    def probe(self, **environ: str) -> dict[str, object]:
        """What `find_tools` finds there, run from a folder that has nothing to do with the project."""
        found = json.loads(run([self.python, "-P", "-c", PROBE], self.folder, **environ))
        assert isinstance(found, dict)
        return found


def build(kind: str, source: Path, into: Path) -> Path:
    """Call the build back end in a process of its own; the file it made."""
    into.mkdir(parents=True, exist_ok=True)
    code = f"import sys, hatchling.build as back_end; print(back_end.build_{kind}(sys.argv[1]))"
    name = run([sys.executable, "-c", code, str(into)], source).splitlines()[-1]
    return into / name


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project as a fresh clone has it: no caches, nothing built."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in project_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", checkout, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", checkout, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Install:
    return Install.make(tmp_path_factory.mktemp("installed") / "env", wheel)


@pytest.fixture(scope="module")
def from_checkout(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a bare checkout finds, installed nowhere: what all the others are held against."""
    return Install.make(tmp_path_factory.mktemp("bare") / "env").probe(PYTHONPATH=str(checkout))


def same_tools(found: dict[str, object], expected: dict[str, object]) -> None:
    assert found["broken"] == []
    assert found["files"] == expected["files"]
    assert found["tools"] == expected["tools"]


def test_a_bare_checkout_finds_the_tools_beside_the_package(checkout: Path, from_checkout: dict[str, object]) -> None:
    assert from_checkout["bundle"] == str(checkout / "tools")
    assert from_checkout["broken"] == []
    assert from_checkout["tools"], "a checkout has tools"
    kinds = from_checkout["files"]
    assert isinstance(kinds, dict)
    for kind in ("tools", "plans"):
        assert set(kinds[kind]) == {name.removeprefix(f"{kind}/") for name in project_files() if name.startswith(kind)}


def test_a_wheel_finds_the_same_tools_inside_itself(installed: Install, from_checkout: dict[str, object]) -> None:
    found = installed.probe()
    assert str(found["package"]).startswith(str(installed.folder))
    assert found["bundle"] == f"{found['package']}/_bundle/tools"
    same_tools(found, from_checkout)


def test_a_wheel_built_from_the_sdist_holds_what_a_wheel_from_the_checkout_holds(
    wheel: Path, sdist: Path, tmp_path: Path, from_checkout: dict[str, object]
) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    second = build("wheel", source, tmp_path / "second")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(second) as two:
        assert {name: one.read(name) for name in one.namelist()} == {name: two.read(name) for name in two.namelist()}
    same_tools(Install.make(tmp_path / "env", second).probe(), from_checkout)


def test_an_editable_install_finds_the_tools_of_the_checkout(
    checkout: Path, tmp_path: Path, from_checkout: dict[str, object]
) -> None:
    editable = build("editable", checkout, tmp_path / "editable")
    found = Install.make(tmp_path / "env", editable).probe()
    assert found["package"] == str(checkout / "airoagent")
    assert found["bundle"] == str(checkout / "tools")
    same_tools(found, from_checkout)


def test_the_wheel_holds_what_it_should_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (info,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
        scripts = archive.read(f"{info}/entry_points.txt").decode()
        metadata = archive.read(f"{info}/METADATA").decode()
    package = {name for name in project_files() if name.startswith("airoagent/")}
    bundled = {f"airoagent/_bundle/{name}" for name in project_files() if name.startswith(("tools/", "plans/"))}
    assert {name for name in names if not name.startswith(info)} == package | bundled
    assert "airoagent/py.typed" in names
    assert f"{info}/licenses/LICENSE" in names
    assert "airo = airoagent.cli:main" in scripts
    assert "License-Expression: Apache-2.0" in metadata


def test_the_sdist_holds_all_that_the_project_needs_to_be_built_and_tested(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {name for name in project_files() if not name.startswith(".")}
    assert wanted - names == set()
    assert names - wanted <= {"PKG-INFO", ".gitignore"}


def test_the_installed_command_answers_to_both_names(installed: Install) -> None:
    for name in ("airo", "airoagent"):
        assert "Usage: airo" in run([str(Path(installed.python).parent / name), "--help"], installed.folder)


@pytest.mark.parametrize("command", [["uvx", "--python", sys.executable, "--from"], ["pipx", "run", "--spec"]])
def test_the_wheel_answers_without_being_installed(wheel: Path, tmp_path: Path, command: list[str]) -> None:
    """With uvx and pipx, where they are installed; the dependencies come from their caches or the package index."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not on the PATH")
    home = {"AIRO_HOME": str(tmp_path / "home"), "PIPX_HOME": str(tmp_path / "pipx")}
    airo = [*command, str(wheel), "airo"]
    assert run([*airo, "--version"], tmp_path, **home).startswith("airo, version ")
    library = str(ROOT / "examples" / "library")
    assert "1,642" in run([*airo, "-q", "--docs", library, "How deep is Lake Baikal?"], tmp_path, **home)


OFFERED = {
    "pyproject.toml": """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "airo-shout"
version = "1.0"
[project.entry-points."airoagent.tools"]
shout = "airo_shout"
whisper = "airo_shout.quiet:whisper"
lost = "airo_shout.nowhere"
[tool.hatch.build.targets.wheel]
packages = ["airo_shout"]
""",
    "airo_shout/__init__.py": '''
from airoagent import tool

@tool("Shout")
def shout(text: str) -> str:
    """Says it in capitals."""
    return text.upper()
''',
    "airo_shout/quiet.py": '''
def whisper(text: str) -> str:
    """Says it in small letters."""
    return text.lower()
''',
}


def test_another_package_supplies_tools_through_an_entry_point(
    wheel: Path, tmp_path: Path, from_checkout: dict[str, object]
) -> None:
    for name, text in OFFERED.items():
        (tmp_path / "shout" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "shout" / name).write_text(text)
    found = Install.make(tmp_path / "env", wheel, build("wheel", tmp_path / "shout", tmp_path / "built")).probe()
    bundled = from_checkout["tools"]
    assert isinstance(bundled, list)
    assert found["tools"] == [
        *bundled,
        ["Shout", "Says it in capitals.", False, "__init__.py"],
        ["whisper", "Says it in small letters.", False, "quiet.py"],
    ]
    reason = "ModuleNotFoundError: No module named 'airo_shout.nowhere'"
    assert found["broken"] == [["entry point lost of airo-shout 1.0", reason]]
