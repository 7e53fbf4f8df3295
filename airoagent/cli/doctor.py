"""``airo doctor``: one line for each thing a run may need, with the cure for what is missing."""

from __future__ import annotations

import json
import platform
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

import click

from airoagent.errors import AiroError
from airoagent.extras import has, install


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it is well, what was seen, and the cure; ``needed`` for the chosen model to load."""

    subject: str
    well: bool
    seen: str
    cure: str = ""
    needed: bool = False


@click.command("doctor")
@click.option("-m", "--model", metavar="MODEL", help="The model to check for (default: the one in the settings).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(model: str | None, as_json: bool) -> int:
    """Check Python, the packages, the GPU, the model, search and the record; exit 0 only if the model would load."""
    from airoagent.settings import load_settings

    spec = load_settings({"model": model}).model
    heavy = spec != "extractive" and not spec.startswith(("scripted:", "http://", "https://"))
    heavy = heavy and not spec.lower().endswith(".gguf")
    findings = [
        Finding("python", True, platform.python_version()),
        *_packages(heavy),
        _gpu(),
        _checked(f"model {spec}", lambda: _model(spec), needed=True),
        _network(),
        _checked("tools", _tools),
        _checked("records", _records),
    ]
    for finding in findings:
        if as_json:
            click.echo(json.dumps(asdict(finding)))
            continue
        mark = (
            click.style("ok  ", fg="green")
            if finding.well
            else click.style("no  ", fg="red" if finding.needed else "yellow")
        )
        cure = f"  -> {finding.cure}" if finding.cure and not finding.well else ""
        click.echo(f"{mark}{finding.subject:<16} {finding.seen}{cure}")
    return 0 if all(finding.well for finding in findings if finding.needed) else 3


def _packages(heavy: bool) -> list[Finding]:
    cure = install("transformers")
    rows = []
    for name in ("torch", "transformers", "bitsandbytes", "accelerate", "sentencepiece", "llguidance"):
        try:
            rows.append(Finding(name, True, version(name)))
        except PackageNotFoundError:
            needed = heavy and name in ("torch", "transformers", "bitsandbytes", "accelerate")
            rows.append(Finding(name, False, "not installed (only real models need it)", cure, needed))
    return rows


def _gpu() -> Finding:
    if not has("torch"):
        return Finding("gpu", False, "not looked for: torch is not installed", install("transformers"))
    import torch

    if not torch.cuda.is_available():
        return Finding("gpu", False, "no CUDA device: real models run on the CPU, slowly", "")
    free, total = torch.cuda.mem_get_info()
    return Finding("gpu", True, f"{torch.cuda.get_device_name()}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free")


def _checked(subject: str, look: Callable[[], Finding], needed: bool = False) -> Finding:
    try:
        return look()
    except AiroError as error:
        return Finding(subject, False, error.message, error.hint, needed)


def _model(spec: str) -> Finding:
    from airoagent.models.catalog import open_model

    model = open_model(spec)
    check = getattr(model, "check", None)
    if check is not None:
        check()
    return Finding(
        f"model {spec}", True, model.info.note or f"{model.info.backend}, wrapper {model.info.wrapper}", needed=True
    )


def _network() -> Finding:
    try:
        socket.getaddrinfo("duckduckgo.com", 443)
    except OSError:
        return Finding("network", False, "no name can be looked up", "search your own documents: --docs FOLDER")
    return Finding("network", True, "names can be looked up")


def _tools() -> Finding:
    from airoagent.settings import config_folder
    from airoagent.toolbox.loader import find_tools

    found = find_tools(config_folder=config_folder())
    if found.broken:
        first = found.broken[0]
        return Finding(
            "tools", False, f"{first.origin}: {first.error}", "mend or remove the file; `airo tools` lists them"
        )
    return Finding("tools", True, ", ".join(found.toolbox))


def _records() -> Finding:
    from airoagent.records.store import Store
    from airoagent.settings import state_folder

    path = state_folder() / "runs.sqlite3"
    Store(path).close()
    return Finding("records", True, str(path))
