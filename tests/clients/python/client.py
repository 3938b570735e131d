"""One paho-mqtt client whose callbacks become values that a caller can wait for."""

import queue
import socket

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from message import message_from, properties_from

# Only a broken broker makes a caller wait this long.
PATIENCE_SECS = 15
# How long `arrived` looks for a message before it says that there is none.
MOMENT_SECS = 0.1


class Client:
    def __init__(self, host: str, port: int, level: int):
        self.address = (host, port)
        self.level = level
        self.library = None
        self.connected = queue.Queue()
        self.answers = queue.Queue()
        self.messages = queue.Queue()
        self.disconnected = queue.Queue()

    @property
    def is_v5(self) -> bool:
        return self.level == mqtt.MQTTv5

    def connect(self, connect: dict) -> dict:
        clean = connect["clean"]
        self.library = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=connect["id"],
            clean_session=None if self.is_v5 else clean,
            protocol=self.level,
            reconnect_on_failure=False,
        )
        self._listen()
        if connect["will"]:
            self._set_will(connect["will"])
        options = {"clean_start": clean, "properties": connect_properties(connect)} if self.is_v5 else {}
        self.library.connect(*self.address, keepalive=60, **options)
        self.library.loop_start()
        flags, reason, properties = wait(self.connected, "CONNACK")
        return {
            "session_present": bool(flags.session_present),
            "reason": reason.value if self.is_v5 else int(reason.is_failure),
            "assigned_id": getattr(properties, "AssignedClientIdentifier", None),
            "topic_alias_maximum": getattr(properties, "TopicAliasMaximum", None),
        }

    def subscribe(self, subscription: dict) -> int:
        if not self.is_v5:
            _, mid = self.library.subscribe(subscription["filter"], subscription["qos"])
        else:
            properties = Properties(PacketTypes.SUBSCRIBE)
            if subscription["identifier"]:
                properties.SubscriptionIdentifier = subscription["identifier"]
            options = SubscribeOptions(qos=subscription["qos"], noLocal=subscription["no_local"])
            _, mid = self.library.subscribe(subscription["filter"], options=options, properties=properties)
        return self._answer("SUBACK", mid)[0]

    def unsubscribe(self, unsubscribe: dict):
        _, mid = self.library.unsubscribe(unsubscribe["filter"])
        codes = self._answer("UNSUBACK", mid)
        return codes[0] if codes else None

    def publish(self, message: dict):
        properties = properties_from(message["properties"], PacketTypes.PUBLISH) if self.is_v5 else None
        payload = bytes.fromhex(message["payload"])
        sent = self.library.publish(message["topic"], payload, message["qos"], message["retain"], properties)
        reason = self._answer("the end of the publish exchange", sent.mid)
        return reason[0] if self.is_v5 and message["qos"] > 0 else None

    def receive(self, _) -> dict:
        return message_from(wait(self.messages, "PUBLISH"), self.is_v5)

    def arrived(self, _):
        try:
            return message_from(self.messages.get(timeout=MOMENT_SECS), self.is_v5)
        except queue.Empty:
            return None

    def ended(self, _):
        flags, reason = wait(self.disconnected, "the end of the connection")
        return reason.value if flags.is_disconnect_packet_from_server else None

    def disconnect(self, _) -> None:
        self.library.disconnect()
        wait(self.disconnected, "the end of the connection")
        self.library.loop_stop()

    def vanish(self, _) -> None:
        self.library.socket().shutdown(socket.SHUT_RDWR)
        wait(self.disconnected, "the end of the connection")
        self.library.loop_stop()

    def _listen(self) -> None:
        library = self.library
        library.on_connect = lambda _c, _u, flags, reason, properties: self.connected.put((flags, reason, properties))
        library.on_message = lambda _c, _u, message: self.messages.put(message)
        library.on_disconnect = lambda _c, _u, flags, reason, _p: self.disconnected.put((flags, reason))
        library.on_publish = lambda _c, _u, mid, reason, _p: self.answers.put((mid, [reason.value]))

        def on_codes(_c, _u, mid, reasons, _p):
            self.answers.put((mid, [reason.value for reason in reasons]))

        library.on_subscribe = on_codes
        library.on_unsubscribe = on_codes

    def _answer(self, what: str, mid: int) -> list:
        """Each step waits for its own answer, so the next answer must be the one to this packet identifier."""
        answered, codes = wait(self.answers, what)
        if answered != mid:
            raise RuntimeError(f"{what} came for packet identifier {answered}, not {mid}")
        return codes

    def _set_will(self, will: dict) -> None:
        properties = properties_from(will["properties"], PacketTypes.WILLMESSAGE) if self.is_v5 else None
        self.library.will_set(will["topic"], bytes.fromhex(will["payload"]), will["qos"], will["retain"], properties)


def connect_properties(connect: dict) -> Properties:
    properties = Properties(PacketTypes.CONNECT)
    if connect["session_expiry_secs"] is not None:
        properties.SessionExpiryInterval = connect["session_expiry_secs"]
    if connect["topic_alias_maximum"] is not None:
        properties.TopicAliasMaximum = connect["topic_alias_maximum"]
    return properties


def wait(source: queue.Queue, what: str):
    try:
        return source.get(timeout=PATIENCE_SECS)
    except queue.Empty:
        raise TimeoutError(f"{what} did not come within {PATIENCE_SECS} s") from None
