"""LoRA on a base model that stays as it is: in NF4 (QLoRA), in 16 bits, or in the 4-bit weights of a GGUF file.

    train(examples, open_base("meta-llama/Llama-2-7b-hf", bits=4), Settings(), folder, report)

What is trained holds for the 4 bits it was trained on: an adapter for a GGUF file is trained on the weights of that
file, or on them and their NF4 form by turns. The loss is of the response alone. Everything is drawn from the seed, so a
training that was killed continues from its last checkpoint as if nothing had happened. Under torchrun the processes
share each step's examples.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Final

from airoagent.errors import ModelError, UsageError
from airoagent.frozen import frozen
from airoagent.models.local.architecture import is_out_of_memory
from airoagent.models.local.decoding import control_tokens, encode_plain, encode_prompt
from airoagent.prompts.chat import is_compact
from airoagent.training.bases import Base
from airoagent.training.examples import Example

_STATE: Final = "checkpoint.pt"
_CARD: Final = "training.json"
# Models whose output layer is applied to the last hidden state as it is: then it need not be for the prompt's tokens.
_PLAIN_OUTPUT: Final = ("llama", "mistral", "qwen2")


@frozen
class Settings:
    """How to train. A step takes ``batch`` x ``accumulate`` examples; ``steps`` 0 is as many as ``epochs`` need.

    ``layers`` are the first and last block that is adapted, counted from 0 (None: all). What is below them costs no
    backward pass.
    """

    rank: int = 16
    alpha: int = 32
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    learning_rate: float = 2e-4
    batch: int = 4
    accumulate: int = 4
    epochs: float = 1.0
    steps: int = 0
    save_every: int = 50
    max_tokens: int = 2048
    seed: int = 1
    layers: tuple[int, int] | None = None


@dataclass(slots=True)
class Report:
    """How far a training is: the running loss of each kind, and what the speed so far makes of the rest."""

    step: int
    steps: int
    losses: dict[str, float] = field(default_factory=dict)
    tokens_per_second: float = 0.0
    seconds_left: float = 0.0


@frozen
class Trained:
    """What came of it; ``left_out`` examples were longer than ``max_tokens``; ``style`` of the prompts, if compact."""

    folder: Path
    steps: int
    losses: dict[str, float]
    tokens: int
    left_out: int
    style: str


@frozen
class _Row:
    kind: str
    ids: list[int]
    start: int


def train(
    examples: Sequence[Example],
    base: Base,
    settings: Settings,
    folder: Path,
    report: Callable[[Report], None] = lambda report: None,
    *,
    restart: bool = False,
    start: Path | None = None,
) -> Trained:
    """Train and write the adapter into ``folder``, as peft saves it; it continues from a checkpoint if there is one.

    ``restart`` discards what an earlier training left in the folder. ``start`` is an adapter of this base (a folder
    or a GGUF file) to start from, instead of one that does nothing yet: its rank, targets and layers are kept.

    UsageError where the folder holds the work of another command, or no example is short enough.
    """
    import torch

    place, world = _processes()
    if restart and place == 0:
        _forget(folder)
    if world > 1:
        torch.distributed.barrier()
    short = _rows(examples, base, settings.max_tokens)
    size = settings.batch * settings.accumulate
    steps = settings.steps or max(1, math.ceil(len(short) * settings.epochs / size))
    first = _read_start(start, base) if start is not None else {}
    settings = _shaped_like(first, settings) if first else settings
    mark = _mark(examples, base, settings, first)
    style = "compact" if all(is_compact(one.system or one.prompt) for one in examples) else ""
    if (card := _finished(folder, mark)) is not None:
        return Trained(folder, steps, card["losses"], card["tokens"], len(examples) - len(short), style)
    torch.manual_seed(settings.seed)
    model = _with_lora(base, settings, first)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    tally = _Tally(steps)
    done = _resume(folder, mark, weights, optimizer, tally)
    tally.begin(done)
    model.train()
    for step, drawn in enumerate(_drawn(short, size, settings.seed, done, steps), done + 1):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _schedule(step, steps)
        base.take_turn(step)
        _step(model, base, drawn[place::world], settings.batch, tally, _weight_of(drawn))
        if world > 1:
            _add_up(weights)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if place == 0:
            report(tally.report(step))
            if step % settings.save_every == 0 and step < steps:
                _save_state(folder, mark, step, weights, optimizer, tally)
    if place == 0:
        _save(model, folder, mark, settings, steps, base, tally, style)
    if world > 1:
        torch.distributed.destroy_process_group()
    return Trained(folder, steps, tally.losses, tally.tokens, len(examples) - len(short), style)


def _rows(examples: Sequence[Example], base: Base, most: int) -> list[_Row]:
    """The examples that are short enough, in tokens."""
    most = min(most, getattr(base.model.config, "max_position_embeddings", most))
    rows = [row for row in (_row(base, example) for example in examples) if len(row.ids) <= most]
    if not rows:
        raise UsageError(f"no example has at most {most} tokens", "raise --max-tokens, up to the base's window")
    return rows


def _row(base: Base, example: Example) -> _Row:
    """The tokens of an example as the model will read and write them, and where the response starts."""
    tokenizer, wrapper = base.tokenizer, base.wrapper
    begin = tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
    begin = begin or base.model.config.model_type in ("llama", "mistral")  # as the model is asked later
    prompt = encode_prompt(tokenizer, wrapper, example.prompt, example.system, begin=begin)
    ends = [tokenizer.eos_token_id]
    # A chat template ends a turn with a token of its own, which need not be the one that ends a text.
    if wrapper.after_answer:
        control = control_tokens(tokenizer)
        ends = [control[text] for text in control if wrapper.after_answer.startswith(text)] or ends
    return _Row(example.kind, [*prompt, *encode_plain(tokenizer, example.response.strip()), ends[0]], len(prompt))


def _with_lora(base: Base, settings: Settings, known: dict[str, Any]) -> Any:
    import warnings

    from peft import LoraConfig, get_peft_model

    most = base.model.config.num_hidden_layers - 1
    first, last = settings.layers or (0, most)
    if not first <= last <= most:
        raise UsageError(f"{base.name} has no layers {first} to {last}", f"its layers are 0 to {most}")
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules=list(settings.targets),
        layers_to_transform=None if settings.layers is None else list(range(first, last + 1)),
        task_type="CAUSAL_LM",
        base_model_name_or_path=base.name,
    )
    base.model.name_or_path = base.name  # peft writes this name down, or warns of another one
    for weight in base.model.parameters():
        weight.requires_grad_(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft uses names that transformers 5 calls old.
        try:
            model = get_peft_model(base.model, config)
        except ValueError as error:
            names = sorted({name.rpartition(".")[2] for name, _ in base.model.named_modules() if name[-1:].isalpha()})
            raise UsageError(
                f"{base.name} has no layers called {', '.join(settings.targets)}", f"it has {', '.join(names[-12:])}"
            ) from error
        if base.device.type == "cuda":  # Half the speed for a fraction of the memory: 13B fits on a card of 24 GB.
            model.enable_input_require_grads()
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if known:
        _start_from(model, known, base.name)
    return model


def _read_start(adapter: Path, base: Base) -> dict[str, Any]:
    from safetensors.torch import load_file

    from airoagent.training.gguf_adapter import read_gguf_adapter

    try:
        if adapter.is_file():
            return read_gguf_adapter(adapter, base.model.config)
        return dict(load_file(adapter / "adapter_model.safetensors"))
    except Exception as error:  # Both libraries have errors of their own for a damaged file, and more may be wrong.
        raise UsageError(f"{adapter} is not an adapter", "give a folder or file that airo train wrote") from error


def _shaped_like(weights: dict[str, Any], settings: Settings) -> Settings:
    """The settings with the rank, targets and layers of the adapter."""
    words = [name.split(".") for name in weights if ".layers." in name]
    if not words:
        raise UsageError("the adapter to start from has no layers that are known", "train a new one: omit --start")
    layers = [int(parts[parts.index("layers") + 1]) for parts in words]
    rank = min(min(one.shape) for one in weights.values())
    targets = tuple(sorted({parts[-3] for parts in words}))
    scale = settings.alpha / settings.rank
    return replace(settings, rank=rank, alpha=round(rank * scale), targets=targets, layers=(min(layers), max(layers)))


def _start_from(model: Any, weights: dict[str, Any], base: str) -> None:
    from peft import set_peft_model_state_dict

    ours = {name.replace(".default.", "."): one.shape for name, one in model.named_parameters() if one.requires_grad}
    if {name: one.shape for name, one in weights.items()} != ours:
        raise UsageError(f"the adapter to start from does not fit {base}", "give the base it was trained on: --base")
    set_peft_model_state_dict(model, weights)


def _drawn(rows: list[_Row], size: int, seed: int, done: int, steps: int) -> Iterator[list[_Row]]:
    """The examples of each step that is left, by length: all of them once in a new order, then again."""

    def endless() -> Iterator[_Row]:
        epoch = 0
        while True:
            order = list(rows)
            Random(f"{seed} {epoch}").shuffle(order)
            yield from order
            epoch += 1

    stream = endless()
    for step in range(steps):
        drawn = [next(stream) for _ in range(size)]
        if step >= done:
            yield sorted(drawn, key=lambda row: len(row.ids))


def _schedule(step: int, steps: int) -> float:
    """Warm-up over the first 3 %, then half a cosine down to a hundredth."""
    warm = max(1, round(0.03 * steps))
    if step <= warm:
        return step / warm
    return max(0.01, 0.5 + 0.5 * math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _weight_of(rows: Sequence[_Row]) -> float:
    """A response of 100 tokens counts 10 times as much as one of 1, not 100 times: short answers matter, too."""
    return sum(math.sqrt(len(row.ids) - row.start) for row in rows)


def _step(model: Any, base: Base, rows: list[_Row], batch: int, tally: _Tally, whole: float) -> None:
    """Add the gradients of these rows to what the weights have; ``whole`` is the weight of all rows of the step."""
    import torch

    for at in range(0, len(rows), batch):
        part = rows[at : at + batch]
        try:
            losses = _losses(model, base, part)
            loss = sum(one * _weight_of([row]) for one, row in zip(losses, part, strict=True)) / whole
            if not torch.isfinite(loss):
                raise ModelError("the loss is no longer a number", "lower the learning rate: --lr")
            loss.backward()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            longest = len(part[-1].ids)
            raise ModelError(
                f"there is not enough memory for {len(part)} examples of {longest} tokens at once",
                "lower --batch (and raise --accumulate), or --max-tokens",
            ) from error
        tally.add(part, [float(one.detach()) for one in losses])


def _losses(model: Any, base: Base, rows: list[_Row]) -> list[Any]:
    """The mean loss of each row's response."""
    import torch

    length = max(len(row.ids) for row in rows)
    # What fills up a row comes after it, where a causal model does not look: no mask is needed.
    ids = torch.zeros((len(rows), length), dtype=torch.long)
    for at, row in enumerate(rows):
        ids[at, : len(row.ids)] = torch.tensor(row.ids)
    ids = ids.to(base.device)
    whole = model.get_base_model()
    plain = whole.config.model_type in _PLAIN_OUTPUT
    inner = getattr(whole, whole.base_model_prefix) if plain else whole
    out = inner(input_ids=ids, use_cache=False)
    result = []
    for at, row in enumerate(rows):
        wanted = torch.tensor(row.ids[row.start :], device=base.device)
        places = slice(row.start - 1, len(row.ids) - 1)
        logits = whole.get_output_embeddings()(out.last_hidden_state[at, places]) if plain else out.logits[at, places]
        result.append(torch.nn.functional.cross_entropy(logits.float(), wanted.to(logits.device)))
    return result


class _Tally:
    """Counts tokens and keeps a running loss of each kind."""

    def __init__(self, steps: int) -> None:
        self.losses: dict[str, float] = {}
        self.tokens = 0
        self._steps = steps
        self._first, self._tokens_before, self._started = 0, 0, 0.0

    def begin(self, step: int) -> None:
        """The speed counts from here."""
        self._first, self._tokens_before, self._started = step, self.tokens, time.monotonic()

    def add(self, rows: Sequence[_Row], losses: Sequence[float]) -> None:
        for row, loss in zip(rows, losses, strict=True):
            self.tokens += len(row.ids)
            self.losses[row.kind] = 0.9 * self.losses.get(row.kind, loss) + 0.1 * loss

    def report(self, step: int) -> Report:
        seconds = max(time.monotonic() - self._started, 1e-6)
        left = (self._steps - step) * seconds / (step - self._first)
        speed = (self.tokens - self._tokens_before) / seconds
        return Report(step, self._steps, dict(self.losses), speed, left)


# Several processes: torchrun gives each its number and, with GPUs, a card (`bases.open_base`).


def is_first() -> bool:
    """Whether this process is the only one, or the first of several: the one that writes."""
    return os.environ.get("RANK", "0") == "0"


def _processes() -> tuple[int, int]:
    """The number of this process, and how many there are."""
    place, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if world > 1:
        import torch

        if not torch.distributed.is_initialized():
            torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return place, world


def _add_up(weights: list[Any]) -> None:
    """Each process has the gradients of its own examples; afterwards all have those of all."""
    import torch

    for weight in weights:
        if weight.grad is None:  # fewer examples than processes
            weight.grad = torch.zeros_like(weight)
        torch.distributed.all_reduce(weight.grad)


# What is on the disk: the checkpoint of an unfinished training, or the adapter with its card.


def _mark(examples: Sequence[Example], base: Base, settings: Settings, first: dict[str, Any]) -> str:
    """What makes two trainings the same: data, base and settings; how often they are saved does not."""
    what = [
        base.name,
        base.bits,
        {**asdict(settings), "save_every": 0},
        [(str(one.prompt), one.system, one.response) for one in examples],
        *(f"{name} {float(one.double().sum())}" for name, one in sorted(first.items())),
    ]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


_OTHER: Final = "choose another folder, or discard the earlier work with --restart"


def _finished(folder: Path, mark: str) -> dict[str, Any] | None:
    card = folder / _CARD
    if not card.is_file():
        known = (_STATE, f"{_STATE}.part")
        if folder.is_file():
            raise UsageError(f"{folder} is a file", "choose a folder that does not exist yet")
        if (
            folder.is_dir()
            and not (folder / _STATE).is_file()
            and any(one.name not in known for one in folder.iterdir())
        ):
            raise UsageError(f"{folder} is not empty", "choose a folder that does not exist yet")
        return None
    try:
        told = json.loads(card.read_text(encoding="utf-8"))
        same = told["mark"] == mark and told["losses"] is not None and told["tokens"] >= 0
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{card} cannot be read", _OTHER) from error
    if not same:
        raise UsageError(f"{folder} contains an adapter trained by another command", _OTHER)
    return dict(told)


def _forget(folder: Path) -> None:
    """Remove what a training writes, and no other file."""
    for name in (_STATE, f"{_STATE}.part", _CARD, "adapter_config.json", "adapter_model.safetensors", "adapter.gguf"):
        (folder / name).unlink(missing_ok=True)


def _resume(folder: Path, mark: str, weights: list[Any], optimizer: Any, tally: _Tally) -> int:
    """Restore the checkpoint, if there is one; the step it was saved at."""
    import torch

    file = folder / _STATE
    if not file.is_file():
        return 0
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch has no class of its own for a damaged file.
        raise UsageError(f"the checkpoint {file} cannot be read", _OTHER) from error
    if state["mark"] != mark:
        raise UsageError(f"{folder} contains the checkpoint of another training", _OTHER)
    with torch.no_grad():
        for weight, saved in zip(weights, state["weights"], strict=True):
            weight.copy_(saved)
    optimizer.load_state_dict(state["optimizer"])
    tally.losses, tally.tokens = state["losses"], state["tokens"]
    return int(state["step"])


def _save_state(folder: Path, mark: str, step: int, weights: list[Any], optimizer: Any, tally: _Tally) -> None:
    """A checkpoint is there whole or not at all: written next to its place, then moved there."""
    import torch

    state = {
        "mark": mark,
        "step": step,
        "weights": [weight.detach().cpu() for weight in weights],
        "optimizer": optimizer.state_dict(),
        "losses": tally.losses,
        "tokens": tally.tokens,
    }
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{_STATE}.part"
    with part.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / _STATE)


def _save(
    model: Any, folder: Path, mark: str, settings: Settings, steps: int, base: Base, tally: _Tally, style: str
) -> None:
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # A form to be filled in.
    card = {
        "base": base.name,
        "bits": base.bits,
        "steps": steps,
        "tokens": tally.tokens,
        "losses": tally.losses,
        "settings": asdict(settings),
        "prompt_style": style,
        "mark": mark,
    }
    (folder / _CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    for name in (_STATE, f"{_STATE}.part"):
        (folder / name).unlink(missing_ok=True)
