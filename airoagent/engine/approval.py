"""Whether a call may be made: the user is asked about side effects, and before private text leaves the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from airoagent.engine.policy import Services
from airoagent.engine.provenance import Provenance
from airoagent.errors import PrivateText, ToolError
from airoagent.events import Evidence, InputEdited
from airoagent.plan.evidence import Filled
from airoagent.plan.steps import Step
from airoagent.toolbox.tool import Tool
from airoagent.web.links import links_of

ASK_USER = "AskUser"
"""The tool whose input is a question to the user: the text that `Approve` returns for it is the answer."""


class Approval:
    """Of one run. ``reads_files``: the steps whose tools have read the user's documents; ``found``: its evidence."""

    def __init__(self, services: Services, provenance: Provenance, found: Mapping[str, Evidence]) -> None:
        self.reads_files: set[str] = set()
        self._services = services
        self._policy = services.policy
        self._provenance = provenance
        self._found = found
        self._approved: set[str] = set()  # steps whose calls the user has said yes to

    async def of(self, step: Step, tool: Tool, text: str, parts: Filled) -> tuple[str, Filled]:
        """The input that the tool may be called with, as text and in parts; ToolError if it may not be called."""
        self._approved.discard(step.id)
        warning = self._would_send(tool, parts)
        always = tool.side_effects or self._policy.ask_before == "all"
        if not (warning or always):
            return text, parts
        try:
            answer = await self._services.approve(step, replace(tool, warning=warning) if warning else tool, text)
        except PrivateText:
            if tool.network != "addresses" or always:
                raise
            return text, parts  # its other addresses may be opened; `address_check` holds these back
        if answer is not False:
            self._approved.add(step.id)
        if tool.name == ASK_USER and (not isinstance(answer, str) or not answer.strip()):
            raise ToolError(f"the user did not answer: {text[:200]}", "ask again, or say it in the question")
        if answer is True or (isinstance(answer, str) and answer == text):
            return text, parts
        if not isinstance(answer, str):
            raise ToolError(f"{tool.name} was not approved", "the call was refused when it was asked about")
        self._services.emit(InputEdited(step=step.id, tool=tool.name, input=answer))
        return answer, (answer,)

    def _would_send(self, tool: Tool, parts: Filled) -> str:
        """What private text a call would send off the machine, in words; "" for none, or where the user allows it."""
        what = "" if self._policy.share_private or not tool.network else self._provenance.private_in(parts)
        if not what or tool.network is True:
            return f"which would send text of {what} off this machine" if what else ""
        public = self._provenance.public_addresses(parts, self._found)
        links = links_of(parts, clean_lines=True)
        odd = [url for url in links if url not in public and not url.lower().startswith("docs://")]
        return f"which would open addresses that come from {what}: {' '.join(odd[:5])}" if odd else ""

    def address_check(self, step: Step, tool: Tool, parts: Filled) -> Callable[[str], None] | None:
        """Raises for an address that may hold private text; None where any may be opened."""
        if self._policy.share_private or step.id in self._approved:
            return None
        known: list[frozenset[str]] = []

        def check(url: str) -> None:
            reads = "files of yours" if tool.private or step.id in self.reads_files else ""
            what = self._provenance.private_in(parts) or reads
            if what and not known:
                known.append(self._provenance.public_addresses(parts, self._found))
            if what and url not in known[0]:
                raise PrivateText(
                    f"{step.id} ({tool.name}) may not open {url[:200]}: the address may hold text of {what}",
                    PrivateText.allow,
                )

        return check
