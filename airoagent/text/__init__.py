"""Plain text taken apart and weighed: sentences, words, ranks. Pure functions below every other layer."""

__all__ = ["rank", "sentences", "words"]
