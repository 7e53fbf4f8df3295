"""Function calls: the functions on offer, the prompt that shows them, and the reading and checking of a call."""

__all__ = [
    "call_forms",
    "call_grammar",
    "call_parser",
    "checker",
    "function_loader",
    "functions",
    "json_text",
    "scalars",
    "signatures",
    "specs",
    "spelling",
    "yaml_text",
]
