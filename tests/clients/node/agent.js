// Drives MQTT.js for the Rust tests: one JSON request per line on standard input, one reply per line.
//
// Usage: agent.js HOST PORT PROTOCOL_LEVEL. The protocol is described in ../src/agent.rs. This script decides
// nothing: it only turns steps into calls of the library, and what the library reports into JSON.

import { createInterface } from "node:readline";
import { Client } from "./client.js";

const STEPS = ["connect", "subscribe", "unsubscribe", "publish", "receive", "arrived", "ended", "disconnect", "vanish"];
const [host, port, level] = process.argv.slice(2);
const clients = new Map();

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (!clients.has(request.client)) clients.set(request.client, new Client(host, Number(port), Number(level)));
  const reply = await perform(clients.get(request.client), request);
  process.stdout.write(`> ${JSON.stringify(reply)}\n`);
}
// Connections that a test left open must not keep the script alive.
process.exit(0);

async function perform(client, request) {
  try {
    if (!STEPS.includes(request.do)) throw new Error(`unknown step ${request.do}`);
    return { ok: (await client[request.do](request.with)) ?? null };
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
}
