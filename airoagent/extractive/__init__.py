"""The built-in model; `model` is what other packages import of it."""
