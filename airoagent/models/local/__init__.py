"""Models that run in this process."""

__all__ = [
    "architecture",
    "checkpoint",
    "constraint",
    "decoding",
    "gguf_file",
    "llamacpp",
    "loading",
    "machine",
    "quantize",
    "shards",
    "transformers",
]
