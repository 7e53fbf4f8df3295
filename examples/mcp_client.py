"""Use airo from another program over MCP: python examples/mcp_client.py (needs the extra `mcp`)."""

import asyncio
import sys
from pathlib import Path

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

LIBRARY = Path(__file__).parent / "library"
SERVER = StdioServerParameters(
    command=sys.executable, args=["-m", "airoagent", "serve", "--mcp", "--docs", str(LIBRARY)]
)


async def main() -> None:
    """Start the server, list its tools, and call two of them."""
    async with stdio_client(SERVER) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        print("tools:", ", ".join(tool.name for tool in (await session.list_tools()).tools))
        for name, question in (("plan", "Where do otters sleep?"), ("ask", "How deep is Lake Baikal?")):
            result = await session.call_tool(name, {"question": question})
            print(f"\n{name}: {question}")
            print("\n".join(part.text for part in result.content if part.type == "text"))


if __name__ == "__main__":
    asyncio.run(main())
