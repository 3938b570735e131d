"""An application message between the JSON of the tests and the types of paho-mqtt."""

from paho.mqtt.properties import Properties

# The tests' name of each property that both sides of an exchange carry, and the library's.
PLAIN = {
    "payload_format": "PayloadFormatIndicator",
    "message_expiry_secs": "MessageExpiryInterval",
    "content_type": "ContentType",
    "response_topic": "ResponseTopic",
}


def properties_from(wanted: dict, packet_type: int) -> Properties:
    properties = Properties(packet_type)
    for ours, theirs in PLAIN.items():
        if wanted[ours] is not None:
            setattr(properties, theirs, wanted[ours])
    if wanted["correlation_data"] is not None:
        properties.CorrelationData = bytes.fromhex(wanted["correlation_data"])
    for pair in wanted["user"]:
        properties.UserProperty = tuple(pair)
    if wanted["topic_alias"] is not None:
        properties.TopicAlias = wanted["topic_alias"]
    return properties


def message_from(received, is_v5: bool) -> dict:
    message = {
        "topic": received.topic,
        "payload": received.payload.hex(),
        "qos": received.qos,
        "retain": bool(received.retain),
    }
    if is_v5:
        message["properties"] = to_json(received.properties)
    return message


def to_json(properties: Properties) -> dict:
    found = {ours: getattr(properties, theirs, None) for ours, theirs in PLAIN.items()}
    correlation = getattr(properties, "CorrelationData", None)
    found["correlation_data"] = None if correlation is None else correlation.hex()
    found["user"] = getattr(properties, "UserProperty", [])
    found["subscription_identifiers"] = getattr(properties, "SubscriptionIdentifier", [])
    return found
