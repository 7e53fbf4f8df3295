"""Reads pages and files, and searches folders of them."""

__all__ = ["charset", "folders", "guards", "html_tree", "library", "passages", "pdf", "read_page"]
