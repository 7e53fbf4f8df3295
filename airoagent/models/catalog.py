"""The models this runtime knows by name, and `open_model`, which turns what a user wrote after ``-m`` into a model.

    model = open_model("airoboros-l2-13b-gpt4-2.0")          # an alias of the catalogue
    model = open_model("./my-llama", options={"device": "cpu"})

Nothing here loads a model: that happens at its first use.
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from airoagent.errors import ModelError
from airoagent.extras import has
from airoagent.frozen import frozen
from airoagent.models.backend_options import read_options
from airoagent.models.base import Model, Sampling
from airoagent.models.hub import NotFetched, Progress, is_hub_name, reason_of, snapshot
from airoagent.models.local.checkpoint import ggml_message, missing_libraries, read_checkpoint
from airoagent.models.local.machine import Machine, this_machine
from airoagent.models.packaged import PACKAGED, downloaded_file, packaged_adapter
from airoagent.models.shared_models import ollama_file
from airoagent.prompts.chat import Style
from airoagent.prompts.wrappers import wrapper_for
from airoagent.textfiles import expanded

Fits = Literal["gpu", "cpu", "no", "unknown"]

_GPT_4: Final = "data written by gpt-4 through OpenAI's API, whose terms forbid competing models"
# What stands before the comma is the licence's name.
_LLAMA_2: Final = f"Llama 2, Meta's licence; {_GPT_4}"
_LLAMA_1: Final = "CC-BY-NC-4.0, research only, no commercial use (original llama)"
_OTHER: Final = f"none given, not even on its page; {_GPT_4}"


@frozen
class CatalogueModel:
    """A model of the catalogue; ``style`` is the form of prompts it is asked in.

    ``parameters`` in billions; ``context`` in tokens; ``wrapper`` as `airoagent.prompts.wrappers` names it;
    ``memory`` in GB (10**9 bytes) at 4 bits, with room to work: the cards' figures for q4_0 where they give one
    (7b: 6.29, 13b: 9.87), else computed as the cards' come out, 4.5 bits a parameter and 2.5 GB.
    """

    name: str
    repo: str
    base: str
    parameters: float
    context: int
    wrapper: str
    licence: str
    memory: float
    style: Style = "airoboros"


@frozen
class ModelRow:
    """A line of the list: the model, whether it is on this machine, and where it would fit (``no``: nowhere)."""

    model: CatalogueModel
    cached: bool
    fits: Fits


_SIZES: Final[Mapping[str, tuple[float, float]]] = {
    # Billions of parameters; GB at 4 bits.
    "7b": (6.7, 6.29),
    "13b": (13.0, 9.87),
    "30b": (30.0, 19.4),
    "33b": (32.5, 20.8),
    "34b": (33.7, 21.5),
    "65b": (65.3, 39.2),
    "70b": (69.0, 41.3),
}
_BASES: Final[Mapping[str, tuple[str, int, str]]] = {
    # By a part of the name: the base model, its window, and the licence.
    "-l2-": ("llama-2", 4096, _LLAMA_2),
    "-c34b-": ("codellama", 4096, _LLAMA_2),
    "-m-": ("mistral", 4096, _OTHER),
    "-mpt-": ("mpt", 2048, _OTHER),
    "": ("llama", 2048, _LLAMA_1),
}


def _airoboros(names: str) -> tuple[CatalogueModel, ...]:
    """One entry for each repository name, from which all the rest follows."""
    rows = []
    for name in names.split():
        size = next(size for part in name.split("-") for size in (part, part.removeprefix("c")) if size in _SIZES)
        parameters, memory = _SIZES[size]
        base, context, licence = next(row for part, row in _BASES.items() if part in name)
        wrapper = wrapper_for(name).name
        rows.append(CatalogueModel(name, f"jondurbin/{name}", base, parameters, context, wrapper, licence, memory))
    return tuple(rows)


def _chat(repo: str, parameters: float, context: int, licence: str) -> CatalogueModel:
    """A model of today, which is asked through its own chat template.

    Its memory is computed: 4.8 bits a parameter (NF4 with its scales, 16-bit embeddings) and half a GB to work in.
    """
    owner, _, name = repo.partition("/")
    return CatalogueModel(name, repo, owner, parameters, context, "template", licence, 0.6 * parameters + 0.5, "chat")


_APACHE: Final = "Apache-2.0"
_LLAMA_3: Final = "Llama 3, Meta's licence (terms to accept on its page)"
_GEMMA: Final = "Gemma, Google's terms (to accept on its page)"


CATALOGUE: Final[tuple[CatalogueModel, ...]] = (
    *_airoboros(
        "airoboros-l2-7b-gpt4-2.0 airoboros-l2-7b-gpt4-m2.0 airoboros-l2-13b-gpt4-2.0 "
        "airoboros-l2-13b-gpt4-m2.0 airoboros-l2-70b-gpt4-2.0 airoboros-l2-70b-gpt4-m2.0 "
        "airoboros-33b-gpt4-2.0 airoboros-33b-gpt4-m2.0 airoboros-65b-gpt4-2.0 airoboros-65b-gpt4-m2.0 "
        "airoboros-l2-7b-2.1 airoboros-l2-13b-2.1 airoboros-l2-70b-2.1 airoboros-c34b-2.1 airoboros-l2-7b-2.2 "
        "airoboros-l2-13b-2.2 airoboros-l2-70b-2.2 airoboros-l2-7b-3.0 airoboros-l2-13b-3.0 "
        "airoboros-l2-70b-3.1 airoboros-l2-13b-3.1.1 airoboros-l2-70b-3.1.2 airoboros-m-7b-3.1.2 "
        "airoboros-l2-7b-gpt4-1.4.1 airoboros-l2-13b-gpt4-1.4.1 airoboros-l2-70b-gpt4-1.4.1 "
        "airoboros-7b-gpt4-1.4 airoboros-13b-gpt4-1.4 airoboros-33b-gpt4-1.4 airoboros-65b-gpt4-1.4 "
        "airoboros-mpt-30b-gpt4-1p4-five-epochs"
    ),
    _chat("HuggingFaceTB/SmolLM2-135M-Instruct", 0.135, 8192, _APACHE),
    _chat("HuggingFaceTB/SmolLM2-360M-Instruct", 0.362, 8192, _APACHE),
    _chat("HuggingFaceTB/SmolLM2-1.7B-Instruct", 1.71, 8192, _APACHE),
    _chat("Qwen/Qwen2.5-0.5B-Instruct", 0.49, 32768, _APACHE),
    _chat("Qwen/Qwen2.5-1.5B-Instruct", 1.54, 32768, _APACHE),
    _chat("Qwen/Qwen2.5-7B-Instruct", 7.62, 32768, _APACHE),
    _chat("Qwen/Qwen2.5-14B-Instruct", 14.8, 32768, _APACHE),
    _chat("Qwen/Qwen3-0.6B", 0.6, 40960, _APACHE),
    _chat("Qwen/Qwen3-1.7B", 1.72, 40960, _APACHE),
    _chat("Qwen/Qwen3-4B", 4.02, 40960, _APACHE),
    _chat("Qwen/Qwen3-8B", 8.19, 40960, _APACHE),
    _chat("Qwen/Qwen3-14B", 14.8, 40960, _APACHE),
    _chat("meta-llama/Llama-3.2-1B-Instruct", 1.24, 131072, _LLAMA_3),
    _chat("meta-llama/Llama-3.2-3B-Instruct", 3.21, 131072, _LLAMA_3),
    _chat("meta-llama/Llama-3.1-8B-Instruct", 8.03, 131072, _LLAMA_3),
    _chat("mistralai/Mistral-7B-Instruct-v0.3", 7.25, 32768, _APACHE),
    _chat("google/gemma-2-2b-it", 2.61, 8192, _GEMMA),
    _chat("google/gemma-2-9b-it", 9.24, 8192, _GEMMA),
    _chat("microsoft/Phi-3.5-mini-instruct", 3.82, 131072, "MIT"),
    _chat("microsoft/phi-4", 14.7, 16384, "MIT"),
)


# Programs that serve models on this machine: the variable that says where, and the usual port.
_PROGRAMS: Final[Mapping[str, tuple[str, int]]] = {
    "ollama": ("OLLAMA_HOST", 11434),
    "lmstudio": ("LMSTUDIO_HOST", 1234),
}


def find_model(name: str) -> CatalogueModel | None:
    """The catalogue's entry for a repository name, with or without its owner, in any case."""
    plain = name.lower()
    return next((entry for entry in CATALOGUE if plain in (entry.name.lower(), entry.repo.lower())), None)


def list_models(machine: Machine | None = None) -> tuple[ModelRow, ...]:
    """Every model of the catalogue, whether it is in the cache of the hub, and whether this machine could hold it."""
    here = machine or this_machine()
    return tuple(ModelRow(entry, _is_cached(entry.repo), where_it_fits(entry.memory, here)) for entry in CATALOGUE)


def where_it_fits(memory: float, machine: Machine) -> Fits:
    """Where so many GB of memory are to be had on this machine."""
    need = memory * 1e9
    if sum(machine.gpus) >= need:
        return "gpu"
    if machine.total is None:
        return "unknown"
    return "cpu" if machine.total >= need else "no"


def _is_cached(repo: str) -> bool:
    folder = snapshot(repo)
    if folder is None:
        return False
    try:
        read_checkpoint(folder, repo)
    except ModelError:
        return False  # Fetched in part.
    return True


def open_model(
    spec: str,
    *,
    options: Mapping[str, str] | None = None,
    sampling: Sampling | None = None,
    progress: Progress | None = None,
) -> Model:
    """Open the model that ``spec`` names: ``extractive``, ``scripted:FILE``, a server's address, ``ollama:NAME`` or
    ``lmstudio:NAME`` on this machine, a ``.gguf`` file, a folder, a hub name, or an alias.

    If Ollama is not running, its model file is opened directly.

    ``options`` are the backend's options as text; ``sampling`` is the default for prompts without one; ``progress`` is
    called while fetching and loading. Raises ModelError if there is no such model or it would not load, and UsageError
    for an option the backend does not have.
    """
    text, given = spec.strip(), options or {}
    if text == "extractive":
        read_options("extractive", (), given)
        # By its name, as a backend from elsewhere would be: it stands on this package, not in it.
        return importlib.import_module("airoagent.extractive.model").ExtractiveModel()  # type: ignore[no-any-return]
    if text.startswith("scripted:"):
        from airoagent.models import scripted

        script = text.removeprefix("scripted:")
        return scripted.ScriptedModel.from_file(script, **read_options("scripted", scripted.OPTIONS, given))
    if text.lower().startswith(("http://", "https://")):
        from airoagent.models.server import client

        return client.ServerModel(text, sampling=sampling, **read_options("server", client.OPTIONS, given))
    program, _, wanted = text.partition(":")
    program = program.lower()
    if program in _PROGRAMS and wanted:
        file = ollama_file(wanted) if program == "ollama" and has("xllamacpp") else None
        if file is not None and not _listens(_program_address(program)):
            return _open_gguf(file, text, given, sampling, progress)
        from airoagent.models.server import client

        settings = read_options("server", client.OPTIONS, {"model": wanted, **given})
        return client.ServerModel(_program_address(program), name=text, sampling=sampling, **settings)
    found = _path(text)
    if message := ggml_message(found):
        raise message
    if text.lower() in PACKAGED or text.lower().endswith(".gguf"):
        return _open_gguf(text, "", given, sampling, progress)
    name, folder = _resolve(text, found)
    from airoagent.models.local import transformers

    settings = read_options("transformers", transformers.OPTIONS, given)
    return transformers.TransformersModel(folder or name, name=name, sampling=sampling, progress=progress, **settings)


def _open_gguf(
    path: str | Path, name: str, given: Mapping[str, str], sampling: Sampling | None, progress: Progress | None
) -> Model:
    """A GGUF file, or one that a package carries, in this process."""
    from airoagent.models.local import llamacpp

    settings = read_options("gguf", llamacpp.OPTIONS, given)
    if (packaged := str(path).lower()) in PACKAGED:
        path = downloaded_file(packaged)
        if "adapter" not in settings:
            settings["adapter"] = packaged_adapter(packaged)
            settings.setdefault("least_probability", PACKAGED[packaged].least_probability)
    if settings.get("adapter") == "none":
        settings["adapter"] = None
    return llamacpp.LlamaCppModel(path, name=name, sampling=sampling, progress=progress, **settings)


def _listens(address: str) -> bool:
    """Whether anything answers at the address of a program; one on another machine is taken to."""
    parts = urlsplit(address)
    try:
        place = parts.hostname, parts.port or 80
    except ValueError:  # no port: that is said when it is asked
        return True
    if place[0] not in ("127.0.0.1", "localhost", "::1"):
        return True
    with suppress(OSError), socket.create_connection(place, timeout=1):
        return True
    return False


def _program_address(program: str) -> str:
    """Where the program's server is on this machine, as its own variable of the environment may have it."""
    variable, port = _PROGRAMS[program]
    address = os.environ.get(variable, "").strip().rstrip("/") or "127.0.0.1"
    scheme, _, host = address.rpartition("://")
    host = host.replace("0.0.0.0", "127.0.0.1", 1)  # noqa: S104 - where it listens, not where we do
    host = f"127.0.0.1{host}" if host.startswith(":") else host
    return f"{scheme or 'http'}://{host}" + ("" if re.search(r":\d+$", host) or scheme == "https" else f":{port}")


def show_folder(name: str, options: Mapping[str, str]) -> dict[str, str | int]:
    """What is known of a model's folder besides what its `ModelInfo` says; nothing for anything else."""
    folder = expanded(name)
    if not folder.is_dir():
        return {}
    try:
        found = read_checkpoint(folder, name, base=options.get("base"))
    except NotFetched as missing:
        return {"adapter": str(folder), "base": missing.repo, "missing": f"the base model {missing.repo}"}
    return {
        "model_type": found.model_type,
        "quantization": found.quantization,
        "bits": found.bits,
        "missing": ", ".join(missing_libraries(found.quantization)),
        "adapter": str(found.adapter or ""),
        "base": str(found.folder) if found.adapter else "",
        "bytes_on_disk": found.stored,
        "bytes_in_memory": found.four_bit,
        "cache_bytes_per_token": found.cache_per_token,
    }


def _path(text: str) -> Path:
    """The file or folder that a text may name. ModelError where it can name neither."""
    try:
        path = Path(text).expanduser()
        path.exists()
    except (OSError, RuntimeError) as error:  # too long for a name; ~ and a user that the machine does not have
        raise ModelError(f"there is no model {text[:100]!r}: {reason_of(error)}", nearest_names(text[:100])) from error
    return path


def _resolve(text: str, path: Path) -> tuple[str, Path | None]:
    """A hub name, or a folder with its name. ModelError with the nearest names where it is neither."""
    if not text:
        raise ModelError("the model's name is empty", nearest_names(text))
    if path.is_dir():
        return text, path
    if path.is_file():
        raise ModelError(
            f"{text} is a file; a model is a folder with config.json, weights and tokenizer",
            f"give the folder: -m {path.parent}",
        )
    if text.lower().endswith("-gguf"):
        raise ModelError(
            f"{text} is a repository of GGUF files, one for each quantisation",
            f"fetch one (hf download {text} NAME.Q4_K_M.gguf) and give the file: -m FILE.gguf",
        )
    entry = find_model(text)
    if entry is not None:
        return entry.repo, None
    if re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}(/\S*)?", text):
        raise ModelError(f"there is no model {text!r}", f"for the server at this address: -m http://{text}")
    looks_local = text.startswith((".", "/", "~", "\\")) or text.count("/") > 1
    if looks_local:
        raise ModelError(f"there is no folder {text}", "check the path; hub names have the form owner/name")
    if is_hub_name(text):
        return text, None
    raise ModelError(f"there is no model {text!r}", nearest_names(text))


def nearest_names(text: str) -> str:
    """A hint for a name that no model has: those most like it."""
    names = ["extractive", *PACKAGED, "scripted:FILE", *(f"{name}:NAME" for name in _PROGRAMS)]
    names += [entry.name for entry in CATALOGUE]
    near = difflib.get_close_matches(text.lower(), names, n=3, cutoff=0.5)
    near += [name for name in names if text and text.lower() in name and name not in near][: 3 - len(near)]
    if near:
        return f"did you mean {', '.join(near)}? All names: airo models"
    return "use extractive, a folder, owner/name on the hub, or a name that `airo models` lists"
