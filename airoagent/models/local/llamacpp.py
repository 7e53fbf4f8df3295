"""GGUF files, run in this process by llama.cpp: k-quants from Q2_K to Q8_0, on processors and, layer by layer, on GPUs.

    model = LlamaCppModel("airoboros-l2-13b-gpt4-2.0.Q4_K_M.gguf", threads=8, gpu_layers=20)

The package xllamacpp brings llama.cpp compiled, as its server on a loopback port of this process. It is spoken to as
any llama.cpp server is (`airoagent.models.server.client`), with a key of its own, so that no other
user of the machine can use it. What a prompt begins with and an earlier one began with is not read again.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

from airoagent.errors import ModelError, UsageError
from airoagent.extras import require
from airoagent.models.backend_options import PROMPT_OPTIONS, Option, number, probability, whole_number
from airoagent.models.base import Chunk, ModelInfo, Prompt, Sampling
from airoagent.models.hub import Progress
from airoagent.models.local.gguf_file import read_gguf
from airoagent.models.local.machine import free_cores, this_machine
from airoagent.models.server.client import ServerModel
from airoagent.models.server.dialects import DIALECTS
from airoagent.prompts.chat import Style, call_form_of, has_place
from airoagent.prompts.wrappers import WRAPPERS, style_of, template_wrapper, wrapper_for, wrapper_named
from airoagent.textfiles import expanded

OPTIONS: Final = (
    *PROMPT_OPTIONS,
    Option("adapter"),
    Option("batch", whole_number(1)),
    Option("gpu_layers", whole_number(-1)),
    Option("least_probability", probability),
    Option("rope_freq_base", number),
    Option("rope_freq_scale", number),
    Option("rows", whole_number(1)),
    Option("threads", whole_number(1)),
)

# A file may say 32768 and more; the cache for that is taken when the model is loaded, so more has to be asked for.
_MOST_CONTEXT: Final = 8192
_OVERHEAD: Final = 300_000_000
_LOADING: Final = threading.Lock()


class LlamaCppModel:
    """A GGUF file, behind the `Model` protocol.

    ``name`` is what it is called (default: the path); ``wrapper`` and ``system`` as for other models that are run here;
    ``context_length`` the window in tokens (default: the file's own, at most 8192); ``threads`` (default: one for each
    core that nothing else uses when it is loaded) and ``batch`` (tokens read at once) as llama.cpp has them; ``rows``
    how many completions are written at once, each with a window of its own; ``gpu_layers`` how many layers go to a GPU
    (-1: all); ``rope_freq_base`` and ``rope_freq_scale`` stretch the window in place of what the file says; ``adapter``
    is a LoRA adapter as a GGUF file, which may name its ``style``; answers under ``least_probability`` are not relied
    on (`ModelInfo`); ``check_memory`` False loads without asking whether it fits.

    Constructing reads the file's head only. Raises MissingExtra where xllamacpp is not installed, ModelError where the
    file is not GGUF or is cut off, UsageError for a window longer than it was trained on without a stretch.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        name: str = "",
        sampling: Sampling | None = None,
        progress: Progress | None = None,
        wrapper: str | None = None,
        system: str | None = None,
        style: Style | None = None,
        context_length: int | None = None,
        threads: int | None = None,
        batch: int | None = None,
        rows: int = 1,
        gpu_layers: int = 0,
        rope_freq_base: float | None = None,
        rope_freq_scale: float | None = None,
        adapter: str | Path | None = None,
        least_probability: float = 0.0,
        check_memory: bool = True,
    ) -> None:
        self._path = expanded(path)
        self._name = name or str(path)
        self._head = read_gguf(self._path, self._name)
        require("running a GGUF file here", "gguf", "xllamacpp")
        self._sampling = sampling or Sampling()
        self._progress = progress
        self._system = system
        self._style = style
        self._window = context_length or min(self._head.context_length, _MOST_CONTEXT)
        self._rows = rows
        self._threads = threads
        self._batch = min(batch or 512, self._window)
        self._gpu_layers = gpu_layers
        self._rope = (rope_freq_base, rope_freq_scale)
        self._adapter = None if adapter is None else expanded(adapter)
        self._least = least_probability
        self._check_memory = check_memory and gpu_layers == 0
        if self._window > self._head.context_length and not any(self._rope):
            scale = self._head.context_length / self._window
            raise UsageError(
                f"{self._name} was trained on {self._head.context_length} tokens, and writes nonsense beyond them",
                f"stretch it (-o rope_freq_scale {scale:.3g}), or leave the window as it is (no -o context)",
            )
        if self._adapter is not None and read_gguf(self._adapter, str(adapter)).prompt_style == "compact":
            self._style = style or "compact"
        chosen = None if wrapper is None else wrapper_named(wrapper)
        self._wrapper = chosen or wrapper_for(
            self._path.name,
            model_type=self._head.architecture,
            has_chat_template=bool(self._head.template),
            other_names=(self._head.name, self._name),
        )
        self._lock = threading.RLock()
        self._engine: _Engine | None = None

    @property
    def info(self) -> ModelInfo:
        """What the file says."""
        note = f"GGUF {self._head.quantization or 'file'}, {self._head.size / 1e9:.1f} GB"
        style = self._style or style_of(self._wrapper)
        return ModelInfo(
            self._name,
            "llama.cpp",
            self._window,
            self._wrapper.name,
            note,
            style,
            call_form="" if self._adapter else call_form_of(self._head.template),
            least_probability=self._least,
        )

    def wrap(self, prompt: str) -> str:
        """The exact text the model reads, begin-of-text token aside. A chat template takes loading the model."""
        if self._wrapper is WRAPPERS["template"]:
            self._ready()
        return self._wrapper.wrap(prompt, self._system)

    def count_tokens(self, text: str) -> int:
        """Length of the text in this model's tokens; loads the model at the first call."""
        return self._ready().client.count_tokens(text)

    def check(self) -> None:
        """Raise ModelError if the model would not load here and now."""
        import xllamacpp

        devices = xllamacpp.get_device_info()
        if self._gpu_layers and all("CPU" in str(device["type"]) for device in devices):
            raise ModelError(
                "the installed xllamacpp runs on processors only, so no layers can go to a GPU",
                "leave gpu_layers out, or install the build of xllamacpp for your GPU (CUDA, ROCm or Vulkan)",
            )
        need = self._head.size + self._head.cache_per_token * self._window * self._rows + _OVERHEAD
        free = this_machine().available
        if self._check_memory and free is not None and need > free:
            raise ModelError(
                f"{self._name} needs about {need / 1e9:.1f} GB of memory with a window of {self._window}, and "
                f"{free / 1e9:.1f} GB are free",
                "choose a smaller quantisation or window (-o context N), or move layers to a GPU (-o gpu_layers)",
            )

    async def stream(self, prompt: Prompt) -> AsyncIterator[Chunk]:
        """Write the completion piece by piece; loads the model first if this is its first use.

        A prompt with a seed gets the same text each time, as long as no other is being written at once. Raises
        ModelError where the prompt does not fit the window or the model cannot be loaded.
        """
        engine = await asyncio.to_thread(self._ready)
        async with aclosing(engine.client.stream(prompt)) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                yield chunk

    async def aclose(self) -> None:
        """Stop what is being written and give the memory back."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            await asyncio.to_thread(engine.close)

    def _ready(self) -> _Engine:
        """The model in memory, loaded if it has to be."""
        with self._lock:
            if self._engine is None:
                self.check()
                if self._progress is not None:
                    self._progress(f"loading {self._name}", 0, 1)
                engine = _Engine(self._params(), self._name)
                if self._wrapper is WRAPPERS["template"]:
                    self._wrapper = template_wrapper(engine.render, tools=has_place(self.info.call_form))
                engine.client = ServerModel(
                    engine.url,
                    name=self._name,
                    key=engine.key,
                    sampling=self._sampling,
                    wrapper=self._wrapper,
                    system=self._system,
                    context_length=self._window,
                    dialect=DIALECTS["llama.cpp"],
                    route="completions",
                    retries=0,
                    probabilities=self._least > 0,
                )
                self._engine = engine
                if self._progress is not None:
                    self._progress(f"loading {self._name}", 1, 1)
            return self._engine

    def _params(self) -> Any:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(self._path)
        params.n_ctx, params.n_parallel = self._window * self._rows, self._rows
        params.n_batch = params.n_ubatch = self._batch
        params.n_gpu_layers = self._gpu_layers
        params.warmup, params.verbosity = False, -1
        # Its threads wait for each other by spinning: one that has to share its core holds up all of them.
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._threads or free_cores()
        base, scale = self._rope
        params.rope_freq_base = base or params.rope_freq_base
        params.rope_freq_scale = scale or params.rope_freq_scale
        if self._adapter is not None:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(self._adapter), 1.0)]
        return params


class _Engine:
    """llama.cpp with a model in memory: its address on the loopback interface, and the key that it asks for."""

    client: ServerModel

    def __init__(self, params: Any, name: str) -> None:
        import xllamacpp

        self.key = secrets.token_urlsafe(24)
        params.api_keys = [self.key]
        try:
            with _LOADING:
                self._server = xllamacpp.Server(params)
        except (RuntimeError, OSError, MemoryError, ValueError) as error:
            raise ModelError(
                f"llama.cpp cannot load {name}",
                "fetch the file again; a newer xllamacpp may know its architecture, and a "
                "smaller window takes less memory (-o context N)",
            ) from error
        self.url: str = self._server.listening_address

    def render(self, messages: list[dict[str, str]], tools: list[dict[str, Any]] | None = None) -> str:
        """The messages in the file's own chat template; ValueError where it refuses them."""
        import httpx

        headers = {"authorization": f"Bearer {self.key}"}
        body = {"messages": messages} | ({"tools": tools} if tools else {})
        answer = httpx.post(f"{self.url}/apply-template", json=body, headers=headers, trust_env=False, timeout=60)
        if answer.status_code != 200:
            raise ValueError(answer.text[:200])
        return str(answer.json()["prompt"])

    def close(self) -> None:
        """Give the memory back; what is being written ends."""
        del self._server
