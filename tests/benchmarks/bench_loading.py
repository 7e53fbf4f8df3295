"""How much memory loading takes at its peak, against the bound: 1.25 times the 4-bit size plus one shard.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_loading.py [layers]

Writes a Llama of random weights, 2048 wide with 22 layers (1.26 billion parameters, 2.5 GB in bf16 shards), into a
temporary folder; loads it in NF4 in a process of its own; watches that process's private memory (RssAnon: mapped files
can be given back and do not count). The same is done with the checkpoint that `quantize` saved. For 7b and 13b the
bound is printed next to the model card's figures.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from airoagent.models.local.checkpoint import four_bit_bytes, read_checkpoint  # noqa: E402 - the checkout comes first on the path

SHARD = 400_000_000
# Parameters, those that stay in 16 bits, the largest shard of the fp16 repositories, the cards' memory for q4_0.
FAMILY = {
    "7b": (6_738_415_616, 2 * 32000 * 4096, 9_980_000_000, 6_290_000_000),
    "13b": (13_015_864_320, 2 * 32000 * 5120, 9_950_000_000, 9_870_000_000),
}
LOAD = """
import asyncio, sys
from airoagent.models.base import Prompt, Sampling, complete
from airoagent.models.local.transformers import TransformersModel
import torch, transformers, bitsandbytes
from transformers import LlamaForCausalLM
print("begin", flush=True)
sys.stdin.readline()
model = TransformersModel(sys.argv[1], device="cpu")
model._ready_model(lambda: False)
print("loaded", flush=True)
sys.stdin.readline()
"""


def anonymous(pid: int) -> int:
    """Private memory of a process in bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))


def measure(folder: Path) -> tuple[int, int, int, float]:
    """Private memory with the libraries imported, at the peak of loading, and after it; the seconds it took."""
    with subprocess.Popen(
        [sys.executable, "-c", LOAD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "begin\n"
        before, peak, done = anonymous(process.pid), 0, threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.01):
                peak = max(peak, anonymous(process.pid))

        watching = threading.Thread(target=watch)
        watching.start()
        began = time.perf_counter()
        print(file=process.stdin, flush=True)
        line = process.stdout.readline()
        seconds = time.perf_counter() - began
        done.set()
        watching.join()
        assert line == "loaded\n"
        after = anonymous(process.pid)
        print(file=process.stdin, flush=True)
    return before, peak, after, seconds


def make(folder: Path, layers: int) -> None:
    """In a process of its own, so that its memory is gone."""
    code = (
        "import sys; from pathlib import Path; from tests.tiny_llama import make_tiny_llama\n"
        f"make_tiny_llama(Path(sys.argv[1]), hidden=2048, intermediate=5632, layers={layers}, heads=32, spread=0.02, "
        f"output_width=32000, shard_size={SHARD})"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, cwd=ROOT, stderr=subprocess.DEVNULL)


def main() -> None:
    layers = int(sys.argv[1]) if len(sys.argv) > 1 else 22
    with tempfile.TemporaryDirectory() as place:
        folder, small = Path(place) / "whole", Path(place) / "small"
        make(folder, layers)
        found = read_checkpoint(folder)
        shard = max(file.stat().st_size for file in folder.glob("*.safetensors"))
        bound = found.four_bit * 1.25 + shard
        print(
            f"{found.stored / 1e9:.2f} GB in 16 bits, shards of {shard / 1e9:.2f} GB, {found.four_bit / 1e9:.2f} GB "
            f"in 4 bits; bound {bound / 1e9:.2f} GB"
        )
        for number in range(2):
            before, peak, after, seconds = measure(folder)
            print(
                f"quantised while loading ({number + 1}): {seconds:.1f} s; RssAnon at the peak {peak / 1e9:.2f} GB, "
                f"{(peak - before) / 1e9:.2f} GB of it loading ({(peak - before) / bound:.2f} of the bound); "
                f"after {after / 1e9:.2f} GB"
            )
        command = [sys.executable, "-m", "airoagent", "models", "quantize", str(folder), str(small)]
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        before, peak, after, seconds = measure(small)
        print(
            f"saved by quantize: {seconds:.1f} s; RssAnon at the peak {peak / 1e9:.2f} GB, "
            f"{(peak - before) / 1e9:.2f} GB of it loading; "
            f"{read_checkpoint(small).stored / 1e9:.2f} GB on disk"
        )
    for name, (parameters, kept, largest, card) in FAMILY.items():
        four_bit = four_bit_bytes(parameters, kept)
        print(
            f"{name}: {four_bit / 1e9:.2f} GB in 4 bits; the card's q4_0 takes {card / 1e9:.2f} GB; bound while "
            f"loading {(four_bit * 1.25 + largest) / 1e9:.2f} GB with shards of {largest / 1e9:.2f} GB, "
            f"{(four_bit * 1.25 + SHARD) / 1e9:.2f} GB with shards of {SHARD / 1e9:.1f} GB"
        )


if __name__ == "__main__":
    main()
