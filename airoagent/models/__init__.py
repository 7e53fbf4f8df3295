"""Whatever writes text: one protocol (`base`), one module a backend."""

__all__ = ["base", "catalog", "hub", "packaged", "shared_models", "stopping", "window"]
