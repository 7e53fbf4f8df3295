"""The built-in model (`model`), and the ranking of sentences that small models read by (`quotes`)."""

__all__ = ["model", "quotes"]
