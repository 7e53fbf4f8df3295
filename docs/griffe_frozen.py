"""Shows classes made by `airoagent.frozen` in the API reference as the dataclasses that they are, with parameters."""

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
