"""``airo train``: train a model on examples, or generate such examples."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.inputs import newest_runs, open_store, text_of
from airoagent.cli.options import Rule, refuses
from airoagent.errors import AiroError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airoagent.training.examples import Example
    from airoagent.training.lora import Report

_MODULES = "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj"


@click.command("train")
@click.argument("data", required=False, metavar="[DATA|-]")
@click.option(
    "--from-runs",
    "query",
    is_flag=False,
    flag_value="",
    metavar="[TEXT]",
    help="Use your successful runs (with these words).",
)
@click.option("--base", metavar="MODEL", help="Model to train: a folder, a Hugging Face name, a GGUF file, smollm2.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Folder for the adapter.")
@click.option(
    "--start",
    type=click.Path(path_type=Path),
    metavar="ADAPTER",
    help="Start from this adapter (a folder, a GGUF file, or smollm2) instead of an empty one.",
)
@click.option("--gguf", type=click.Path(path_type=Path), metavar="FILE", help="Also write the adapter for llama.cpp.")
@click.option(
    "--bits",
    type=click.Choice(["4", "16"]),
    help="Load the base in NF4 (4, the default) or in 16 bits; with a GGUF base, 4 trains for its weights and NF4.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to train.")
@click.option("--wrapper", metavar="NAME", help="Chat wrapper to use instead of the base's own.")
@click.option(
    "-r", "--rank", type=click.IntRange(1, 1024), default=16, show_default=True, help="Rank of the LoRA matrices."
)
@click.option("--alpha", type=click.IntRange(1), help="LoRA alpha.  [default: twice the rank]")
@click.option(
    "--targets", default=_MODULES, metavar="NAMES", help="Layers to adapt, separated by commas.  [default: all linear]"
)
@click.option("--layers", metavar="FIRST-LAST", help="Adapt only these blocks, counted from 0.  [default: all]")
@click.option(
    "--lr", type=click.FloatRange(0, 1, min_open=True), default=2e-4, show_default=True, help="Learning rate."
)
@click.option("--batch", type=click.IntRange(1), default=4, show_default=True, help="Examples per batch.")
@click.option("--accumulate", type=click.IntRange(1), default=4, show_default=True, help="Batches per step.")
@click.option(
    "--epochs", type=click.FloatRange(0, min_open=True), default=1, show_default=True, help="Passes over the data."
)
@click.option("--steps", type=click.IntRange(1), help="Number of steps, instead of --epochs.")
@click.option("--save-every", type=click.IntRange(1), default=50, show_default=True, help="Steps between checkpoints.")
@click.option(
    "--max-tokens", type=click.IntRange(8), default=2048, show_default=True, help="Leave out longer examples."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Random seed.")
@click.option("--restart", is_flag=True, help="Discard what an earlier training left in FOLDER.")
@click.option(
    "--make-data", "count", type=click.IntRange(1), metavar="N", help="Print N generated examples instead of training."
)
@click.option(
    "--style",
    type=click.Choice(["both", "airoboros", "chat", "compact"]),
    default="both",
    help="Prompt style of the generated examples.",
)
@click.option(
    "--only",
    type=click.Choice(["plan", "page", "shipped", "read", "call"]),
    help="Generate only examples of this kind.",
)
@click.option(
    "--passages",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also generate readings from the questions over texts in FILE (as for `airo eval`).",
)
@refuses(
    Rule(
        "data query base out gguf bits device wrapper rank alpha targets layers start lr batch accumulate epochs steps "
        "save_every max_tokens restart",
        excludes="count",
        hint="nothing is trained with --make-data",
    ),
    Rule("style passages only", needs="count"),
    Rule("epochs", excludes="steps"),
)
def train_command(
    data: str | None, query: str | None, count: int | None, passages: Path | None, only: Any, **flags: Any
) -> None:
    """Train a LoRA adapter by QLoRA on DATA: JSON Lines of instruction and response.

    The base stays in 4 bits and only the adapter is trained, on the responses alone. If training is stopped, run the
    same command again to continue. Several GPUs: torchrun --nproc-per-node N -m airoagent train ...

    The last line of the output is the path to give to -m, or to -o adapter for a GGUF base.

    \b
    Examples:
      airo train --make-data 5000 --seed 7 > data.jsonl
      airo train data.jsonl --base meta-llama/Llama-2-7b-hf --out my-planner
      airo train --from-runs --base smollm2 --out my-tools
    """
    if count is not None:
        from airoagent.training.examples import line_of
        from airoagent.training.made_examples import made_examples

        for example in made_examples(count, flags["seed"], flags["style"], _passages(passages), only):
            click.echo(line_of(example), nl=False)
        return
    examples = _examples(data, query)
    for name in ("base", "out"):
        if not flags[name]:
            raise UsageError(f"--{name} is missing", "airo train DATA --base MODEL --out FOLDER")
    _train(examples, **flags)


def _passages(path: Path | None) -> list[tuple[str, str, str, tuple[str, ...]]]:
    if path is None:
        return []
    from airoagent.evaluation.question_files import read_questions

    questions = read_questions(path)
    return [(one.id, text, one.text, one.answers) for one in questions for _, text in one.context[:1]]


def _examples(data: str | None, query: str | None) -> tuple[Example, ...]:
    from airoagent.textfiles import MOST_TRACE
    from airoagent.training.examples import examples_of_runs, read_examples

    found: list[Example] = []
    if data is not None:
        found += read_examples(text_of(data, MOST_TRACE), "standard input" if data == "-" else data)
    if query is not None:
        found += examples_of_runs(newest_runs(open_store(), 10_000, query))
    if not found:
        if query is None:
            raise UsageError("there is nothing to train on", "give DATA, or --from-runs, or see: airo train --help")
        which = f"with {query!r} " if query else ""
        raise UsageError(f"no run {which}has an answer to learn from", "list your runs: airo runs")
    return tuple(found)


def _train(
    examples: tuple[Example, ...], *, base: str, out: Path, gguf: Path | None, bits: str | None, device: Any,
    wrapper: str | None, rank: int, alpha: int | None, targets: str, lr: float, steps: int | None, restart: bool,
    layers: str | None, start: Path | None, style: str, **settings: Any,
) -> None:  # fmt: skip
    from airoagent.training.bases import open_base
    from airoagent.training.examples import in_style
    from airoagent.training.gguf_adapter import check_gguf_adapter, write_gguf_adapter
    from airoagent.training.lora import Settings, is_first, train

    opened = open_base(base, bits=int(bits) if bits else None, device=device, wrapper=wrapper)
    chosen = Settings(
        rank=rank,
        alpha=alpha or 2 * rank,
        targets=tuple(name.strip() for name in targets.split(",") if name.strip()),
        learning_rate=lr,
        steps=steps or 0,
        layers=_blocks(layers),
        **settings,
    )
    file = gguf or (out / "adapter.gguf" if opened.gguf else None)
    if file is not None:
        if file.exists() and not file.is_file():  # a device, say, whose place the adapter would take
            raise UsageError(f"{file} is not a regular file", "name another file with --gguf")
        check_gguf_adapter(opened.model.config, chosen.targets)
    first = _adapter(start)
    kept = in_style(examples, opened.wrapper, _style_of(first))
    if not kept:
        raise UsageError(
            "no example is in the prompt style of the adapter to start from",
            f"ask some questions with it: airo -m {base} --tools FILE QUESTION",
        )
    trained = train(kept, opened, chosen, out, _reporter(), restart=restart, start=first)
    if not is_first():
        return
    if other := len(examples) - len(kept):
        click.echo(f"left out {other} examples in another prompt style than that of the adapter", err=True)
    if trained.left_out:
        click.echo(f"left out {trained.left_out} examples of more than {chosen.max_tokens} tokens", err=True)
    if file is not None:
        write_gguf_adapter(out, file, opened.model.config, trained.style)
    click.echo(file if opened.gguf else out)


def _adapter(start: Path | None) -> Path | None:
    from airoagent.models.packaged import PACKAGED, packaged_adapter

    return packaged_adapter(str(start).lower()) if str(start).lower() in PACKAGED else start


def _style_of(adapter: Path | None) -> str:
    """The prompt style that an adapter was trained on; "" where it does not say, or cannot be read."""
    from airoagent.models.local.gguf_file import read_gguf

    with suppress(AiroError, OSError, ValueError):
        if adapter is not None and adapter.is_dir():
            return str(json.loads((adapter / "training.json").read_text("utf-8")).get("prompt_style", ""))
        return read_gguf(adapter, str(adapter)).prompt_style if adapter is not None else ""
    return ""


def _blocks(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, _, last = text.partition("-")
    if not first.isdecimal() or not last.isdecimal():
        raise UsageError(f"--layers {text} is not a range of blocks", "e.g. --layers 8-29")
    return int(first), int(last)


def _reporter() -> Callable[[Report], None]:
    """Prints how far it is, at most every 5 seconds, and the last step."""
    last = 0.0

    def show(report: Report) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < 5 and report.step not in (1, report.steps):
            return
        last = now
        losses = ", ".join(f"{kind or 'all'} {loss:.3f}" for kind, loss in sorted(report.losses.items()))
        left = f"{report.seconds_left / 60:.0f} min" if report.seconds_left >= 90 else f"{report.seconds_left:.0f} s"
        speed = f"{report.tokens_per_second:,.0f} tokens/s"
        click.echo(f"step {report.step}/{report.steps}  loss {losses}  {speed}  {left} left", err=True)

    return show
