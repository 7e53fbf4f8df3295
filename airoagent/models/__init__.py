"""Whatever writes text: one protocol (`base`), one module a backend."""
