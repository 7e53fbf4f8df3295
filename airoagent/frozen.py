"""`frozen`: a frozen dataclass with slots, made in half the time: the class when it is imported, and each instance.

    >>> @frozen
    ... class Point:
    ...     x: int
    ...     y: int = 0
    >>> Point(1)
    Point(x=1, y=0)

`dataclass(frozen=True, slots=True)` sets every field of a new instance through `object.__setattr__`, and compiles six
methods for every class. Here a new instance is of a twin class without guards until all its fields are set, and only
``__init__`` is compiled. All else is as for a dataclass, for those that inherit from such a class, too. Not for:
``InitVar``, ``field(init=False)`` and fields that are inherited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import Any, ParamSpec, TypeVar, cast, dataclass_transform

T = TypeVar("T")
P = ParamSpec("P")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make the class a frozen dataclass with slots."""
    made: Any = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    made.__dataclass_params__.frozen = True  # for dataclasses that inherit from it
    every = fields(made)
    compared = _values(*[one.name for one in every if one.compare])
    shown = [one.name for one in every if one.repr]

    def equal(self: Any, other: object) -> bool:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def text(self: Any) -> str:
        return f"{self.__class__.__qualname__}({', '.join([f'{name}={getattr(self, name)!r}' for name in shown])})"

    def change(self: Any, name: str, *value: object) -> None:
        if self.__class__ is made or name in made.__dataclass_fields__:
            raise FrozenInstanceError(f"cannot change the field {name!r}")
        (object.__setattr__ if value else object.__delattr__)(self, name, *value)

    methods: dict[str, Callable[..., Any]] = {
        "__init__": _init(made, every),
        "__eq__": equal,
        "__hash__": lambda self: hash(compared(self)),
        "__repr__": text,
        "__setattr__": change,
        "__delattr__": change,
        "__getstate__": lambda self: [getattr(self, one.name) for one in fields(self)],
        "__setstate__": _set_values,
    }
    for name, method in methods.items():
        if name not in cls.__dict__:
            setattr(made, name, method)
    return made  # type: ignore[no-any-return]


def maker(cls: Callable[P, T]) -> Callable[P, T]:
    """A function that makes instances of a frozen class in half the time of a call of the class itself."""
    return cast(Callable[P, T], cls.__init__.make)  # type: ignore[attr-defined]


def _values(*names: str) -> Callable[[Any], Any]:
    return attrgetter(*names) if names else lambda _: ()


def _set_values(self: Any, values: Iterable[object]) -> None:
    for one, value in zip(fields(self), values, strict=False):  # a class that inherits has its own fields last
        object.__setattr__(self, one.name, value)


def _init(cls: Any, every: tuple[Field[Any], ...]) -> Callable[..., None]:
    layout = {name: cls.__dict__[name] for name in ("__slots__", "__orig_bases__") if name in cls.__dict__}
    known: dict[str, Any] = {
        "_cls": cls,
        "_twin": type(cls.__name__, cls.__bases__, layout),
        "_set_class": object.__dict__["__class__"].__set__,
        "_set_values": _set_values,
        "_MISSING": MISSING,
        "__name__": cls.__module__,
    }
    parameters: list[str] = []
    made: list[str] = []
    for one in sorted(every, key=lambda each: bool(each.kw_only)):
        if one.kw_only and "*" not in parameters:
            parameters.append("*")
        if one.default_factory is not MISSING:
            known[f"_make_{one.name}"] = one.default_factory
            made.append(f" if {one.name} is _MISSING: {one.name} = _make_{one.name}()")
        if one.default is not MISSING or one.default_factory is not MISSING:
            known[f"_of_{one.name}"] = one.default
            parameters.append(f"{one.name}=_of_{one.name}")
        else:
            parameters.append(one.name)
    then = [" self.__post_init__()"] if hasattr(cls, "__post_init__") else []
    fill = [*[f"  self.{one.name} = {one.name}" for one in every], "  self.__class__ = _cls"]
    lines = [
        f"def __init__({', '.join(['self', *parameters])}):",
        *made,
        " if self.__class__ is _cls:",
        "  _set_class(self, _twin)",
        *fill,
        f" else: _set_values(self, ({''.join([f'{one.name}, ' for one in every])}))",
        *then,
        f"def make({', '.join(parameters)}):",
        *made,
        " self = _twin()",
        *[line[1:] for line in fill],
        *then,
        " return self",
        "__init__.make = make",
    ]
    exec("\n".join(lines), known)  # noqa: S102 - names of fields, no text of others
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__annotations__ = {one.name: one.type for one in every} | {"return": None}
    return init
