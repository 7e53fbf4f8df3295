"""Models that other programs keep on this machine: Ollama's store, LM Studio's folders, the cache of Hugging Face.

Layouts: manifest/paths.go and manifest/layer.go of Ollama (``manifests-v2``: 0.40 and later), LM Studio's documentation
("import models").
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Any, Final

from airoagent.errors import ModelError
from airoagent.frozen import frozen
from airoagent.models.hub import cache_folder, snapshot
from airoagent.models.local.checkpoint import read_checkpoint
from airoagent.models.local.shards import read_json
from airoagent.textfiles import expanded


@frozen
class SharedModel:
    """``name`` is what ``-m`` takes, ``file`` the GGUF file that llama.cpp can open (None: there is none), ``size`` in
    bytes.
    """

    name: str
    program: str
    size: int
    file: Path | None = None


def shared_models() -> tuple[SharedModel, ...]:
    """What each program has, by name; what cannot be read is left out."""
    found = {model.name: model for models in (_ollama(), _lm_studio(), _hugging_face()) for model in models}
    return tuple(found[name] for name in sorted(found) if name.isprintable())


def ollama_file(name: str) -> Path | None:
    """The GGUF file of a model of Ollama's, which need not run; None where there is none."""
    names = {f"ollama:{name}", f"ollama:{name}:latest"}
    return next((model.file for model in _ollama() if model.name in names), None)


# Ollama: a manifest for each tag, in folders for the host, the owner and the model, and blobs by their digest.

_PUBLIC: Final = ("registry.ollama.ai", "ollama.com")
_LAYER: Final = "application/vnd.ollama.image."
_DIGEST: Final = re.compile(r"sha256[:-]([0-9a-f]{64})")


def _ollama() -> Iterator[SharedModel]:
    stores = [os.environ["OLLAMA_MODELS"]] if os.environ.get("OLLAMA_MODELS") else ["~/.ollama/models"]
    if not os.environ.get("OLLAMA_MODELS"):
        stores.append("/usr/share/ollama/.ollama/models")  # where its service on Linux keeps them
    seen = set()
    for store in map(expanded, stores):
        for tree in ("manifests-v2", "manifests"):
            for path in _files(store / tree, "*/*/*/*"):
                host, owner, model, tag = path.parts[-4:]
                owner = "" if owner == "library" and host in _PUBLIC else f"{owner}/"
                name = f"ollama:{'' if host in _PUBLIC else host.replace('%3A', ':') + '/'}{owner}{model}:{tag}"
                if name in seen or tag.startswith("."):
                    continue
                with suppress(ModelError, OSError):
                    if (found := _in_manifest(read_json(path, name), store, name)) is not None:
                        seen.add(name)
                        yield found


def _in_manifest(manifest: Any, store: Path, name: str) -> SharedModel | None:
    """The model of a manifest whose weights are here; None where they are not, as for those in Ollama's cloud."""
    builds = {str(one.get("runner", "")): one for one in _objects(manifest, "manifests")}
    if build := builds.get("ggml") or builds.get("llamacpp"):  # one manifest for each engine, since 0.40
        blob = _blob(store, build)
        manifest = {} if blob is None else read_json(blob, name)
    layers = {str(one.get("mediaType", "")).removeprefix(_LAYER): one for one in _objects(manifest, "layers")}
    if not {"model", "tensor"} & layers.keys():
        return None
    size = sum(size for one in _objects(manifest, "layers") if isinstance(size := one.get("size"), int))
    if "model" not in layers:
        return SharedModel(name, "Ollama", size)
    if (file := _blob(store, layers["model"])) is None:
        return None
    with file.open("rb") as opened:
        # An adapter goes onto the file: without it, it would be another model.
        whole = opened.read(4) == b"GGUF" and "adapter" not in layers
    return SharedModel(name, "Ollama", size, file if whole else None)


def _objects(value: Any, key: str) -> list[dict[str, Any]]:
    listed = value.get(key) if isinstance(value, dict) else None
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _blob(store: Path, layer: dict[str, Any]) -> Path | None:
    digest = _DIGEST.fullmatch(str(layer.get("digest", "")))
    return store / "blobs" / f"sha256-{digest[1]}" if digest else None


# LM Studio: GGUF files in folders for the owner and the model.


def _lm_studio() -> Iterator[SharedModel]:
    home = "~/.lmstudio"
    with suppress(OSError):
        home = expanded("~/.lmstudio-home-pointer").read_text(encoding="utf-8").strip() or home
    for folder in dict.fromkeys(map(expanded, (f"{home}/models", "~/.cache/lm-studio/models"))):
        yield from _gguf_files(folder, "*/*/*.gguf", "LM Studio")


def _gguf_files(folder: Path, pattern: str, program: str) -> Iterator[SharedModel]:
    """The GGUF files that are models of their own; one in parts is named by the first."""
    for file in _files(folder, pattern):
        if file.name.lower().startswith("mmproj"):  # the part of a model that sees pictures
            continue
        part = re.fullmatch(r"(.*)-(\d{5})(-of-\d{5}\.gguf)", file.name)
        if part is None or int(part[2]) == 1:
            parts = [file] if part is None else file.parent.glob(f"{escape(part[1])}-*{part[3]}")
            with suppress(OSError):  # a link that leads nowhere
                yield SharedModel(_short(file), program, sum(one.stat().st_size for one in parts), file)


# Hugging Face.


def _hugging_face() -> Iterator[SharedModel]:
    """Models that write text, by their names, and the GGUF files that others have fetched."""
    for home in _files(cache_folder(), "models--*--*"):
        owner, _, name = home.name.removeprefix("models--").partition("--")
        yield from _gguf_files(home / "snapshots", "*/*.gguf", "Hugging Face")
        if (folder := snapshot(f"{owner}/{name}")) is not None:
            with suppress(ModelError, OSError):
                yield SharedModel(f"{owner}/{name}", "Hugging Face", read_checkpoint(folder).stored)


def _files(folder: Path, pattern: str) -> list[Path]:
    with suppress(OSError):  # a folder of another user, most of all
        return sorted(folder.glob(pattern))
    return []


def _short(path: Path) -> str:
    with suppress(ValueError, RuntimeError):
        return f"~/{path.relative_to(Path.home())}"
    return str(path)
