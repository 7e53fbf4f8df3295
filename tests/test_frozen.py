"""`frozen` makes what `dataclass(frozen=True, slots=True)` makes."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from airoagent.events import Evidence, Source
from airoagent.frozen import frozen

T = TypeVar("T")


def made_by(decorator: Callable[[type], Any]) -> Any:
    class Sample(Generic[T]):
        kind: ClassVar[str] = "sample"
        name: str
        size: int = 3
        parts: list[str] = field(default_factory=list)
        hidden: int = field(default=0, compare=False, repr=False)
        at: float = field(default=1.5, kw_only=True)

    return decorator(Sample)


ours, theirs = made_by(frozen), made_by(dataclass(frozen=True, slots=True))


def test_instances_look_compare_and_hash_like_those_of_a_dataclass() -> None:
    for args, named in ((("a",), {}), (("a", 4, ["x"]), {"at": 2.0}), ((), {"name": "b", "hidden": 9})):
        one, other = ours(*args, **named), theirs(*args, **named)
        assert repr(one) == repr(other)
        assert dataclasses.asdict(one) == dataclasses.asdict(other)
        assert one == ours(*args, **named) != ours("c") and one != other and one != "b"
    assert ours("a", hidden=1) == ours("a", hidden=2)
    assert ours("a").parts is not ours("a").parts
    assert hash(Source("u")) == hash(Source("u")) and len({Source("u"), Source("u"), Source("v")}) == 2


def test_the_signature_and_the_patterns_of_a_match_are_the_same() -> None:
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
    assert ours.__match_args__ == theirs.__match_args__
    assert [one.name for one in dataclasses.fields(ours)] == [one.name for one in dataclasses.fields(theirs)]
    for call in (lambda cls: cls(), lambda cls: cls("a", 1, [], 2, 3.0), lambda cls: cls("a", other=1)):
        with pytest.raises(TypeError):
            call(ours)
        with pytest.raises(TypeError):
            call(theirs)


def test_a_field_can_be_neither_set_nor_deleted_nor_added() -> None:
    one = ours("a")
    for change in (lambda: setattr(one, "name", "b"), lambda: delattr(one, "name"), lambda: setattr(one, "more", 1)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            change()
    assert one.name == "a" and type(one) is ours and not hasattr(one, "__dict__")


def test_copies_and_pickles_and_replaced_fields_are_the_same_but_for_these() -> None:
    one = Evidence("evidence0", "T", "text", (Source("u"),), private=True)
    assert copy.copy(one) == one == copy.deepcopy(one) == pickle.loads(pickle.dumps(one))
    assert pickle.loads(pickle.dumps(one)).at == one.at
    assert dataclasses.replace(one, text="other") == Evidence("evidence0", "T", "other", (Source("u"),))
