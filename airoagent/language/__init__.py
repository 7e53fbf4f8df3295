"""What the model reads and writes: pure functions, no I/O."""
