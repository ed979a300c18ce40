// Drives `agent acp` with the official TypeScript SDK: new, prompt with a permission, list, load, an error.
// Usage: client.mjs AGENT WORKSPACE, with @agentclientprotocol/sdk where node finds it.
import assert from "node:assert";
import { spawn } from "node:child_process";
import { Readable, Writable } from "node:stream";
import * as acp from "@agentclientprotocol/sdk";

const [agent, workspace] = process.argv.slice(2);
const child = spawn(agent, ["acp", "--mode", "ask"], { stdio: ["pipe", "pipe", "inherit"] });
const stream = acp.ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout));

let said = "";
let asked = 0;
let kinds = [];
const { methods } = acp;

await acp
  .client({ name: "test" })
  .onNotification(methods.client.session.update, ({ params }) => {
    kinds.push(params.update.sessionUpdate);
    if (params.update.sessionUpdate === "agent_message_chunk") said += params.update.content.text;
  })
  .onRequest(methods.client.session.requestPermission, ({ params }) => {
    asked += 1;
    const chosen = params.options.find((option) => option.kind === "allow_always");
    return { outcome: { outcome: "selected", optionId: chosen.optionId } };
  })
  .connectWith(stream, async (context) => {
    const hello = await context.request(methods.agent.initialize, {
      protocolVersion: acp.PROTOCOL_VERSION,
      clientCapabilities: {},
    });
    assert.equal(hello.protocolVersion, 1);
    const session = await context.request(methods.agent.session.new, { cwd: workspace, mcpServers: [] });
    const done = await context.request(methods.agent.session.prompt, {
      sessionId: session.sessionId,
      prompt: [{ type: "text", text: "/fix SQL injection in the search of notes" }],
    });
    assert.equal(done.stopReason, "end_turn");
    assert.ok(asked > 0 && said.includes("What changed"), said);
    for (const kind of ["tool_call", "tool_call_update", "plan"]) assert.ok(kinds.includes(kind), kind);
    const listed = await context.request(methods.agent.session.list, { cwd: workspace });
    assert.equal(listed.sessions[0].sessionId, session.sessionId);
    kinds = [];
    await context.request(methods.agent.session.load, {
      sessionId: session.sessionId,
      cwd: workspace,
      mcpServers: [],
    });
    assert.ok(kinds.includes("user_message_chunk") && kinds.includes("tool_call"), kinds.join());
    await assert.rejects(
      context.request(methods.agent.session.new, { cwd: "relative", mcpServers: [] }),
      (error) => error.code === -32602,
    );
  });
child.stdin.end();
console.log("typescript client: ok");
