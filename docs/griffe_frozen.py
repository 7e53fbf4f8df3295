"""Shows in the API reference what decorators of `airoagent` make: dataclasses, and methods with their parameters."""

from __future__ import annotations

from typing import Any

import griffe


class FrozenClasses(griffe.Extension):
    """Takes ``frozen`` for ``dataclass``, before Griffe looks for dataclasses."""

    def on_class_instance(self, *, cls: griffe.Class, **_: Any) -> None:
        """Replace the decorator of one class."""
        for decorator in cls.decorators:
            if decorator.callable_path == "airoagent.frozen.frozen":
                decorator.value = griffe.ExprName("dataclasses.dataclass")
                cls.labels.add("dataclass")

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """Replace attributes like ``run = synchronous(arun)`` by a method like that one."""
        for name, one in list(cls.attributes.items()):
            value = one.value
            if isinstance(value, griffe.ExprCall) and str(value.function) == "synchronous":
                like = cls.functions[str(value.arguments[0])]
                method = griffe.Function(
                    name, lineno=one.lineno, parameters=like.parameters, returns=like.returns, docstring=like.docstring
                )
                cls.set_member(name, method)
