"""What the tests of the house share: the project's root, its files, and their syntax trees."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "airoagent"


def project_files() -> tuple[str, ...]:
    """The paths of all files that belong to the project, relative to its root.

    In a git checkout: what is tracked, and what would be. Elsewhere (an unpacked sdist): everything but caches.
    """
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, encoding="utf-8").stdout
        return tuple(sorted(name for name in listed.split("\0") if name and (ROOT / name).is_file()))
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    caches = re.compile(r"(^|/)(__pycache__|\.hypothesis|\.[^/]*cache|[^/]*\.egg-info)(/|$)")
    return tuple(sorted(str(path) for path in found if not caches.search(path.as_posix())))


def python_files(*folders: str) -> tuple[Path, ...]:
    """The Python files below these folders of the project."""
    found = (Path(name) for name in project_files())
    return tuple(ROOT / path for path in found if path.suffix == ".py" and path.parts[0] in folders)


def tree_of(file: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(file.read_bytes(), str(file))


def shown(file: Path) -> str:
    """The path as a message should have it."""
    return str(file.relative_to(ROOT))


def is_type_checking(statement: ast.AST) -> bool:
    """Whether this is ``if TYPE_CHECKING:``, whose body is never executed."""
    condition = statement.test if isinstance(statement, ast.If) else None
    return isinstance(condition, ast.Name) and condition.id == "TYPE_CHECKING"


def executed_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """The statements that importing the module executes: not the bodies of functions, nor what only types need."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and is_type_checking(child):
            child = ast.Module(child.orelse, [])
        yield child
        yield from executed_at_import(child)


def imported_by(statement: ast.AST) -> tuple[str, ...]:
    """The modules that an import statement names, ``from a import b`` as ``a.b``; () for any other statement."""
    if isinstance(statement, ast.Import):
        return tuple(alias.name for alias in statement.names)
    if isinstance(statement, ast.ImportFrom):
        assert statement.level == 0, f"line {statement.lineno}: a relative import"
        return tuple(f"{statement.module}.{alias.name}" for alias in statement.names)
    return ()
