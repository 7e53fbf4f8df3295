"""`frozen` makes what `dataclass(frozen=True, slots=True)` makes."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from airoagent.engine.policy import Policy
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


class Patient(Policy):
    """A class of somebody's who calls for an attribute more."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(retries=9, **limits)
        self.reason = "a slow network"  # type: ignore[misc]


@dataclass(frozen=True)
class Rated(Evidence):
    stars: int = 0


def test_other_classes_inherit_from_one_as_from_a_dataclass() -> None:
    patient = Patient(replan=1)
    assert type(patient) is Patient and (patient.retries, patient.replan, patient.reason) == (9, 1, "a slow network")
    with pytest.raises(dataclasses.FrozenInstanceError):
        patient.retries = 1  # type: ignore[misc]
    rated = Rated("evidence0", "T", "text", stars=5)
    assert pickle.loads(pickle.dumps(rated)) == rated == copy.deepcopy(rated) and rated.stars == 5
    assert [one.name for one in dataclasses.fields(Rated)][-1] == "stars"
    assert dataclasses.replace(rated, text="other").stars == 5


@dataclass(frozen=True)
class _Checked:
    name: str

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("no name")

    def __eq__(self, other: object) -> bool:
        return str(other) == self.name

    def __hash__(self) -> int:
        return len(self.name)

    def __repr__(self) -> str:
        return f"<{self.name}>"


def test_what_a_class_defines_of_its_own_stays() -> None:
    for made in (_Checked, frozen(type("_Checked", (), {**vars(_Checked), "__annotations__": {"name": str}}))):
        one = made("a")
        assert (one, hash(one), repr(one)) == ("a", 1, "<a>")
        with pytest.raises(ValueError, match="no name"):
            made("")


def test_the_reference_of_the_python_interface_shows_their_parameters() -> None:
    griffe = pytest.importorskip("griffe")
    root = Path(__file__).parent.parent
    extensions = griffe.load_extensions(root / "docs" / "griffe_frozen.py")
    package = griffe.load("airoagent.events", search_paths=[root], allow_inspection=False, extensions=extensions)
    assert [one.name for one in package["Source"].parameters] == list(inspect.signature(Source.__init__).parameters)
