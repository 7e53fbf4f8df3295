"""Plans: what they are made of, how they are read, written, drawn and filled with evidence. Pure functions, no I/O."""

__all__ = ["drawing", "evidence", "graph", "parser", "plan_grammar", "plans", "steps", "tool_names"]
