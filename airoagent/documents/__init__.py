"""Reads pages and files, and searches folders of them."""

__all__ = [
    "binary_files",
    "charset",
    "folders",
    "guards",
    "html_tree",
    "library",
    "passages",
    "pdf",
    "read_page",
    "rendering",
]
