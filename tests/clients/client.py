"""Drives `agent acp` with the official Python SDK: new, prompt with a permission, list, load, cancel.

Usage: client.py AGENT WORKSPACE
"""

import asyncio
import sys
from typing import Any

import acp
from acp import PROTOCOL_VERSION, spawn_agent_process, text_block
from acp.schema import AllowedOutcome, RequestPermissionResponse


class Client(acp.Client):
    def __init__(self) -> None:
        self.said = ""
        self.kinds: list[str] = []
        self.asked = 0

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        self.kinds.append(update.session_update)
        if update.session_update == "agent_message_chunk":
            self.said += update.content.text

    async def request_permission(self, session_id: str, tool_call: Any, options: Any, **_: Any) -> Any:
        self.asked += 1
        chosen = next(option for option in options if option.kind == "allow_always")
        return RequestPermissionResponse(outcome=AllowedOutcome(option_id=chosen.option_id, outcome="selected"))


async def main(agent: str, workspace: str) -> None:
    client = Client()
    async with spawn_agent_process(client, agent, "acp", "--mode", "ask") as (connection, _process):
        hello = await connection.initialize(protocol_version=PROTOCOL_VERSION)
        assert hello.protocol_version == 1, hello
        session = await connection.new_session(cwd=workspace, mcp_servers=[])
        done = await connection.prompt(
            session_id=session.session_id,
            prompt=[text_block("/fix SQL injection in the search of notes")],
        )
        assert done.stop_reason == "end_turn", done
        assert client.asked > 0 and "What changed" in client.said, client.said
        assert {"tool_call", "tool_call_update", "plan"} <= set(client.kinds), client.kinds
        await connection.set_session_mode(session_id=session.session_id, mode_id="read-only")
        listed = await connection.list_sessions(cwd=workspace)
        assert listed.sessions[0].session_id == session.session_id, listed
        client.kinds.clear()
        await connection.load_session(session_id=session.session_id, cwd=workspace, mcp_servers=[])
        assert "user_message_chunk" in client.kinds and "tool_call" in client.kinds, client.kinds
        try:
            await connection.new_session(cwd="relative", mcp_servers=[])
            raise AssertionError("a relative folder was taken")
        except acp.RequestError as error:
            assert error.code == -32602, error
    print("python client: ok")


asyncio.run(main(sys.argv[1], sys.argv[2]))
