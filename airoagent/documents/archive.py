"""The ZIP archive of XML that an office document or a book is: its parts, within limits, and where they lead.

An archive may unpack into gigabytes: no more than 64 MB are taken out of it, and no entities are expanded.
"""

from __future__ import annotations

import contextlib
import io
import posixpath
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from airoagent.child_processes import set_limits
from airoagent.documents.binary_files import write_record

_UNPACKED = 64 * 1024 * 1024  # bytes

Blocks = list[tuple[str, str, int]]
Parts = Iterator[tuple[int, str, bytes | str | Blocks]]
"""Number of the slide, chapter or sheet (0: the file has none), content type, page; blocks in place of a page."""


class UnreadableError(Exception):
    """Why a file cannot be read, in a few words."""


@contextlib.contextmanager
def bounded(seconds: int) -> Iterator[None]:
    """Bounds for a reading process; what ends the reading is its last record."""
    set_limits(seconds)
    try:
        yield
    except UnreadableError as error:
        write_record(stopped=str(error))
    except MemoryError:
        write_record(stopped="it takes too much memory")
    except Exception as error:  # a broken file sets off any error at all
        write_record(stopped=f"it is broken ({type(error).__name__})")


class Archive:
    """The files of an archive, as far as they may be unpacked."""

    def __init__(self, body: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(body))
        except zipfile.BadZipFile as error:
            raise UnreadableError("it is broken, or not of the kind that its name says") from error
        self._names = {name.lower(): name for name in self._zip.namelist()}
        self._left = _UNPACKED

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._names

    def read(self, name: str, *, part: bool = False) -> bytes:
        """A file's bytes; b"" where there is none of this name. With ``part`` those of a long one are cut off."""
        found = self._names.get(name.lower())
        if found is None:
            return b""
        if self._zip.getinfo(found).flag_bits & 1:
            raise UnreadableError("it is locked with a password")
        with self._zip.open(found) as file:
            data = file.read(max(self._left, 0) + 1)
        self._left -= len(data)
        if not part:
            self.check()
        return data

    def check(self) -> None:
        """UnreadableError where more was asked for than may be unpacked."""
        if self._left < 0:
            raise UnreadableError("it unpacks into more than 64 MB of text")

    def text(self, name: str) -> str:
        return self.read(name).decode("utf-8", "replace").strip()

    def xml(self, name: str) -> Any:
        """The root element of a file, its names without namespaces; an empty element where it is missing or broken."""
        from lxml import etree

        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
        data = self.read(name)
        root = etree.fromstring(data, parser) if data.strip() else None
        if root is None:
            return etree.Element("none")
        for element in root.iter("*"):
            element.tag = element.tag.rpartition("}")[2]
        return root

    def main(self) -> str:
        """The main part of an Office document."""
        return next((one for one in self.targets("").values() if one.startswith(("word/", "ppt/", "xl/"))), "")

    def targets(self, part: str) -> dict[str, str]:
        """What a part of an Office document refers to, by id: names of other parts, and addresses."""
        folder, name = posixpath.split(part)
        found = {}
        for one in self.xml(posixpath.join(folder, "_rels", f"{name}.rels")):
            target = attribute(one, "Target")
            if attribute(one, "TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, target))[1:]
            found[attribute(one, "Id")] = target
        return found

    def package(self) -> str:
        """The package document of a book."""
        files = self.xml("META-INF/container.xml").iter("rootfile")
        return next((unquote(attribute(one, "full-path")) for one in files), "")

    def title(self) -> str:
        names = [name for name in ("docProps/core.xml", "meta.xml", self.package()) if name in self]
        titles = (one.text or "" for name in names for one in self.xml(name).iter("title"))
        return " ".join(next(titles, "").split())[:300]


def attribute(element: Any, name: str) -> str:
    """An attribute by its name without a namespace, of two (``id`` and ``r:id``) the one with; "" for none."""
    found = [(key.startswith("{"), str(value)) for key, value in element.items() if key.rpartition("}")[2] == name]
    return max(found, default=(False, ""))[1]


def child_at(element: Any, *path: str) -> Any:
    """The first element at a path of names, or None."""
    for name in path:
        element = element.find(name) if element is not None else None
    return element


def value_at(element: Any, *path: str) -> str:
    """The attribute ``val`` of the element at a path; "" where there is none."""
    found = child_at(element, *path)
    return "" if found is None else attribute(found, "val")
