"""Parameters of a plan file: ``{year}`` in its question, inputs and answer, given a value when the plan is run.

    >>> from airoagent.plan.plans import Plan
    >>> from airoagent.plan.steps import Ref, Step
    >>> step = Step("evidence0", "", "Search", ("winner of {year}",))
    >>> plan = Plan((step,), (Ref("evidence0"),), "Who won in {year}?")
    >>> parameters(plan)
    ('year',)
    >>> with_values(plan, {"year": "2020"}).steps[0].input
    'winner of 2020'

A parameter is a name (letters, digits and ``_``, not beginning with a digit) in braces. One in the question needs a
value; one that stands elsewhere alone may be given one, and is text without it, as braces in a JSON input are. A value
is inserted once and never read again: what looks like a reference or a parameter in it stays text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from airoagent.errors import UsageError
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Template

__all__ = ["parameters", "with_values"]

_PARAMETER = re.compile(r"\{([^\W\d]\w*)\}")


def parameters(plan: Plan) -> tuple[str, ...]:
    """The names that the plan's question declares, in order."""
    return tuple(dict.fromkeys(_PARAMETER.findall(plan.question)))


def with_values(plan: Plan, values: Mapping[str, str]) -> Plan:
    """The plan with its values put in; UsageError names the parameters of its question without one, and values for
    which the plan has no ``{name}``.
    """
    names = parameters(plan)
    missing = [name for name in names if name not in values]
    if missing:
        raise UsageError(
            f"the plan needs a value for {', '.join(missing)}", " ".join(f"--set {name}=..." for name in missing)
        )
    texts = [part for step in plan.steps for part in (step.thought, *step.template)] + [*plan.final_template]
    there = [*names, *(name for part in texts if isinstance(part, str) for name in _PARAMETER.findall(part))]
    strange = [name for name in values if name not in there]
    if strange:
        known = f"it has {', '.join(dict.fromkeys(there))}" if there else "it has none: it contains no {name}"
        raise UsageError(f"the plan has no parameter {strange[0]}", known)
    if not values:
        return plan

    def put(text: str) -> str:
        return _PARAMETER.sub(lambda found: values.get(found[1], found[0]), text)

    def filled(template: Template) -> Template:
        return tuple(put(part) if isinstance(part, str) else part for part in template)

    return replace(
        plan,
        question=put(plan.question),
        steps=tuple(replace(step, thought=put(step.thought), template=filled(step.template)) for step in plan.steps),
        answer_template=None if plan.answer_template is None else filled(plan.answer_template),
    )
