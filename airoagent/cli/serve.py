"""``airo serve``: the agent behind an API that clients know."""

from __future__ import annotations

import os
from typing import Any

import click

from airoagent.cli.options import agent_options, make_agent

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8383, show_default=True, help="Port; 0: a free one.")
@click.option("--key", metavar="KEY", help="API key that clients must send (default: AIRO_SERVE_KEY).")
@click.option("--name", "names", multiple=True, metavar="HOST", help="Host name clients use for this server.")
@click.option("--at-once", type=click.IntRange(1, 1000), default=8, show_default=True, help="Maximum runs at a time.")
@click.option("--mcp", is_flag=True, help="Serve MCP on standard input and output instead of HTTP.")
@agent_options()
def command(
    host: str, port: int, key: str | None, names: tuple[str, ...], at_once: int, mcp: bool, **flags: Any
) -> int:
    """Serve the agent as an OpenAI-compatible API: /v1/chat/completions and /v1/models.

    Any client of that API can ask it: open-webui, llm, the openai packages. Each request is a recorded run; the plan
    and its steps are sent as reasoning, sources as citations. Only the last message is asked.

    With --mcp it is an MCP server for one client that starts it, with the tools ask, plan, get_run and (with --docs)
    search_documents.

    \b
    Example:
      airo serve --docs examples/library
      curl http://127.0.0.1:8383/v1/chat/completions -H 'Content-Type: application/json' \\
        -d '{"messages": [{"role": "user", "content": "How deep is Lake Baikal?"}]}'
    """
    from airoagent.errors import UsageError
    from airoagent.extras import require
    from airoagent.serving.api import make_app

    if mcp:
        return _serve_mcp(flags)
    require("serving the API", "serve", "starlette", "uvicorn")
    import uvicorn

    key = key or os.environ.get("AIRO_SERVE_KEY", "")
    if host not in _LOOPBACK and not key:
        raise UsageError(f"{host} can be reached from other machines", "set a key: --key KEY or AIRO_SERVE_KEY")
    agent, _ = make_agent(flags)
    app = make_app(agent, key=key, hosts=(*names, host), at_once=at_once)
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=5)
    sock = config.bind_socket()
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"serving on http://{shown}:{sock.getsockname()[1]}/v1 (Ctrl-C ends it)", err=True)
    try:
        uvicorn.Server(config).run(sockets=[sock])
    finally:
        agent.close()
    return 0


def _serve_mcp(flags: dict[str, Any]) -> int:
    """MCP on standard input and output, until the client closes them."""
    from airoagent.serving.mcp_tools import make_mcp

    agent, _ = make_agent(flags)
    try:
        make_mcp(agent).run()
    finally:
        agent.close()
    return 0
