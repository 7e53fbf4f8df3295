"""`frozen`: a frozen dataclass with slots, made in half the time: the class when it is imported, and each instance.

    >>> @frozen
    ... class Point:
    ...     x: int
    ...     y: int = 0
    >>> Point(1)
    Point(x=1, y=0)

`dataclass(frozen=True, slots=True)` sets every field of a new instance through `object.__setattr__`, and compiles six
methods for every class. Here a new instance is of a twin class without guards until all its fields are set, and only
``__init__`` is compiled. Defaults and `field` mean what they mean for a dataclass, and `dataclasses.replace`,
``fields`` and ``asdict`` take such classes. Not for: ``__post_init__``, ``InitVar`` and fields that are inherited.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import Any, NoReturn, TypeVar, dataclass_transform

__all__ = ["frozen"]

T = TypeVar("T")

_set_class = object.__dict__["__class__"].__set__


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make the class a frozen dataclass with slots."""
    made: Any = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    every = fields(made)
    made.__init__ = _init(made, every)
    compared = _values(*[one.name for one in every if one.compare])
    shown = [one.name for one in every if one.repr]

    def equal(self: Any, other: object) -> bool:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def text(self: Any) -> str:
        return f"{self.__class__.__qualname__}({', '.join([f'{name}={getattr(self, name)!r}' for name in shown])})"

    made.__eq__ = equal
    made.__hash__ = lambda self: hash(compared(self))
    if "__repr__" not in cls.__dict__:
        made.__repr__ = text
    made.__reduce__ = lambda self: (_remade, (self.__class__, {one.name: getattr(self, one.name) for one in every}))
    made.__setattr__ = made.__delattr__ = _refuse
    return made  # type: ignore[no-any-return]


def _refuse(self: object, name: str, *_: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot change the field {name!r}")


def _remade(cls: type[T], values: dict[str, Any]) -> T:
    return cls(**values)


def _values(*names: str) -> Callable[[Any], Any]:
    return attrgetter(*names) if names else lambda _: ()


def _init(cls: type, every: tuple[Field[Any], ...]) -> Callable[..., None]:
    known: dict[str, Any] = {"_set_class": _set_class, "_MISSING": MISSING, "_cls": cls}
    layout = {name: cls.__dict__[name] for name in ("__slots__", "__orig_bases__") if name in cls.__dict__}
    known["_twin"] = type(cls.__name__, cls.__bases__, layout)
    parameters, lines = ["self"], ["_set_class(self, _twin)"]
    for one in sorted(every, key=lambda each: bool(each.kw_only)):
        if one.kw_only and "*" not in parameters:
            parameters.append("*")
        name, value = one.name, one.name
        if one.default_factory is not MISSING:
            known[f"_make_{name}"], known[f"_of_{name}"] = one.default_factory, MISSING
            value = f"_make_{name}() if {name} is _MISSING else {name}"
        elif one.default is not MISSING:
            known[f"_of_{name}"] = one.default
        parameters.append(f"{name}=_of_{name}" if f"_of_{name}" in known else name)
        lines.append(f"self.{name} = {value}")
    lines.append("self.__class__ = _cls")
    body = "\n    ".join(lines)
    exec(f"def __init__({', '.join(parameters)}):\n    {body}", known)  # noqa: S102 - names of fields, no text of others
    made: Callable[..., None] = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__annotations__ = {one.name: one.type for one in every} | {"return": None}
    return made
