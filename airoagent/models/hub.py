"""Models of the Hugging Face hub: where they lie on this machine, and how one is fetched.

The cache is looked up by path, so that listing models imports nothing heavy; fetching goes through huggingface_hub.
HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE, HF_ENDPOINT and HF_TOKEN are obeyed, as they are when asked for.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from airoagent.errors import ModelError
from airoagent.textfiles import expanded

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_WEIGHTS = (".safetensors", ".bin")
_NO_ROOM = "make room, or set HF_HOME to a folder on another disk"
_TRUE = frozenset({"1", "on", "yes", "true"})


def is_hub_name(text: str) -> bool:
    """Whether the text has the form ``owner/name``."""
    return _HUB_NAME.fullmatch(text) is not None and ".." not in text and "--" not in text


def offline() -> bool:
    """Whether the user has switched the hub off."""
    return any(os.environ.get(name, "").lower() in _TRUE for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))


def cache_folder() -> Path:
    """The folder that holds the fetched models, whether it exists or not."""
    if direct := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return expanded(direct)
    if home := os.environ.get("HF_HOME"):
        return expanded(home) / "hub"
    return expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface" / "hub"


def snapshot(name: str, revision: str = "main") -> Path | None:
    """The folder of a fetched model, or None. Whether it is complete is for `checkpoint.read_checkpoint` to say."""
    home = cache_folder() / f"models--{name.replace('/', '--')}"
    reference = home / "refs" / revision
    commit = reference.read_text(encoding="ascii").strip() if reference.is_file() else revision
    folder = home / "snapshots" / commit
    return folder if any((folder / file).exists() for file in ("config.json", "adapter_config.json")) else None


class NotFetched(ModelError):
    """A model of the hub, ``repo``, is needed and is not whole on this machine; fetching it is the cure.

    ``adapter`` is the name of the adapter that it is the base model of. The message and the hint are of this moment:
    they say whether the hub is switched off.
    """

    def __init__(self, repo: str, adapter: str = "") -> None:
        needed = f"the adapter {adapter} is based on {repo}, which" if adapter else repo
        message, hint = f"{needed} is not downloaded", "its first use fetches it, or run:"
        if offline():
            message = f"{needed} is not downloaded, and the network is switched off (HF_HUB_OFFLINE)"
            hint = "unset HF_HUB_OFFLINE, or on a machine with network access run:"
        elsewhere = "; or name its folder: -o base FOLDER" if adapter else ""
        super().__init__(message, f"{hint} hf download {repo}{elsewhere}")
        self.repo = repo


class LoadStopped(BaseException):
    """Fetching or loading was called off: a signal and no error, so that no ``except Exception`` swallows it."""


def download(
    name: str,
    revision: str = "main",
    progress: Progress | None = None,
    stopped: Callable[[], bool] = lambda: False,
    *,
    weights: bool = True,
    before: Callable[[int], None] = lambda size: None,
) -> Path:
    """Fetch a model and return its folder; what is already here is not fetched again.

    ``weights`` False fetches configuration and tokenizer only. Safetensors are taken where there are any, else PyTorch
    ``.bin`` files, never both. ``before`` gets the bytes of the weights before any are fetched, and calls it off by
    an error of its own. ``progress`` counts bytes; ``stopped`` is asked every few megabytes and ends it by
    LoadStopped (what has come is kept and continued next time). ModelError says why the model could not be had: no such
    model, access not granted, the network, the disk, a digest that is not the one that the hub lists.
    """
    from huggingface_hub import HfApi, errors, hf_hub_download

    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        info = HfApi(endpoint=endpoint).model_info(name, revision=revision, files_metadata=True, timeout=20)
        there = [(entry.rfilename, entry.size or 0) for entry in info.siblings or ()]
        whole = sum(size for _, size in _wanted(there, weights=True))  # what is there already counts, too
        check_disk(cache_folder(), whole, f"{name} is {whole / 1e9:.1f} GB to fetch", _NO_ROOM)
        files = sorted(_wanted(there, weights=weights), key=lambda file: file[1])
        if weights:
            before(sum(size for file, size in files if file.endswith(_WEIGHTS)))
        if not files:
            raise ModelError(f"{name} contains no model files", "choose another: airo models")
        bar = _counting_bar(f"fetching {name}", sum(size for _, size in files), progress, stopped)
        digests = {entry.rfilename: entry.lfs.sha256 for entry in info.siblings or () if entry.lfs}
        had = snapshot(name, info.sha or revision)  # a branch may have been at another commit
        for file, _ in files:  # tqdm_class: what is asked for is tqdm's methods, not tqdm.
            digest = None if had is not None and (had / file).exists() else digests.get(file)
            path = hf_hub_download(
                name, file, revision=revision, cache_dir=cache_folder(), endpoint=endpoint, tqdm_class=bar
            )
            _check_digest(Path(path), name, digest)
        return Path(path).parent
    except errors.GatedRepoError as error:
        raise ModelError(f"{name} is a gated model", "accept its terms on its page and set HF_TOKEN") from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(
            f"the hub has no model {name}", "see the names with: airo models, or set HF_TOKEN if it is private"
        ) from error
    except errors.RevisionNotFoundError as error:
        hint = "leave the option revision out for the newest"
        raise ModelError(f"{name} has no revision {revision!r}", hint) from error
    except errors.OfflineModeIsEnabled as error:
        raise NotFetched(name) from error
    except ModelError:
        raise
    except Exception as error:  # Which class a failed connection has differs by version and transport.
        if isinstance(error, OSError) and error.errno in (28, 122):
            raise ModelError(f"the disk is full: {name} could not be written", _NO_ROOM) from error
        raise ModelError(
            f"{name} is not downloaded and could not be fetched: {reason_of(error)}",
            "check the network, or give the folder of a model that is here (-m FOLDER)",
        ) from error


def _check_digest(path: Path, name: str, wanted: str | None) -> None:
    """Remove a file that is not what the hub lists, and raise ModelError; None: there is nothing to check."""
    if wanted is None:
        return
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() == wanted:
            return
    path.resolve().unlink()
    path.unlink(missing_ok=True)
    raise ModelError(f"the downloaded {path.name} of {name} is damaged: its digest differs", "run it again")


def reason_of(error: BaseException) -> str:
    """The first line of its message, with the next where the first only announces it; its class if it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return (f"{lines[0]} {lines[1]}" if lines[0].endswith(":") and len(lines) > 1 else lines[0])[:300]


def _counting_bar(what: str, total: int, progress: Progress | None, stopped: Callable[[], bool]) -> type:
    """A class that stands in for huggingface_hub's progress bars: all of one class count together."""
    done = 0

    class Bar:
        def __init__(self, *_: object, initial: int = 0, **__: object) -> None:
            self.update(initial)

        def update(self, amount: float | None = 1) -> None:
            nonlocal done
            if stopped():
                raise LoadStopped
            done += int(amount or 0)
            if progress is not None:
                progress(what, min(done, total), total)

        # Its presence says: one bar for both, bytes received and bytes written. Only the latter are counted.
        def update_transfer(self, amount: float | None = 1) -> None: ...

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None: ...

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_, **__: None

    return Bar


def check_disk(place: Path, size: int, what: str, hint: str) -> None:
    """Raise ModelError where the disk of a folder, which need not exist yet, cannot take so many bytes."""
    there = next(folder for folder in (place, *place.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if size > free:
        raise ModelError(f"{what}, and {free / 1e9:.1f} GB of disk space are free in {there}", hint)


def _wanted(files: Sequence[tuple[str, int]], *, weights: bool) -> list[tuple[str, int]]:
    """The files of a model: weights of one kind, configuration and tokenizer; nothing from folders below."""
    top = [(file, size) for file, size in files if "/" not in file]
    safetensors = any(file.endswith(".safetensors") for file, _ in top)
    kind = ".safetensors" if safetensors else ".bin"

    def is_wanted(file: str) -> bool:
        if file.endswith(_WEIGHTS):
            return weights and file.endswith(kind) and not file.startswith(("training_args", "optimizer"))
        return file.endswith((".json", ".model", ".jinja", ".txt"))

    return [entry for entry in top if is_wanted(entry[0])]
