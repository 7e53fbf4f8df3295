"""Training: example data, made or from the user's own runs, and LoRA adapters trained on it."""

__all__ = ["bases", "examples", "gguf_adapter", "lora", "made_examples"]
