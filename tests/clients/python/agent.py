"""Drives paho-mqtt for the Rust tests: one JSON request per line on standard input, one reply per line.

Usage: agent.py HOST PORT PROTOCOL_LEVEL. The protocol is described in ../src/agent.rs. This script decides nothing:
it only turns steps into calls of the library, and what the library reports into JSON.
"""

import json
import sys

from client import Client

STEPS = {"connect", "subscribe", "unsubscribe", "publish", "receive", "arrived", "ended", "disconnect", "vanish"}


def main() -> None:
    host, port, level = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    clients: dict[str, Client] = {}
    for line in sys.stdin:
        request = json.loads(line)
        client = clients.setdefault(request["client"], Client(host, port, level))
        try:
            reply = {"ok": perform(client, request["do"], request["with"])}
        except Exception as error:  # noqa: BLE001 - every failure belongs in the test's text
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(">", json.dumps(reply), flush=True)


def perform(client: Client, step: str, argument):
    if step not in STEPS:
        raise ValueError(f"unknown step {step}")
    return getattr(client, step)(argument)


if __name__ == "__main__":
    main()
