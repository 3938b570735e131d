// An application message between the JSON of the tests and the packets of MQTT.js.
//
// MQTT.js keeps User Properties as an object: a name that occurs twice holds a list, so the order between different
// names is kept and an interleaved order of equal names is not.

const PLAIN = {
  message_expiry_secs: "messageExpiryInterval",
  content_type: "contentType",
  response_topic: "responseTopic",
  topic_alias: "topicAlias",
};

export function toProperties(wanted) {
  const properties = {};
  for (const [ours, theirs] of Object.entries(PLAIN)) {
    if (wanted[ours] !== null) properties[theirs] = wanted[ours];
  }
  if (wanted.payload_format !== null) properties.payloadFormatIndicator = wanted.payload_format === 1;
  if (wanted.correlation_data !== null) properties.correlationData = Buffer.from(wanted.correlation_data, "hex");
  if (wanted.user.length > 0) properties.userProperties = toObject(wanted.user);
  return properties;
}

export function fromPacket(topic, payload, { qos, retain, properties = {} }) {
  const format = properties.payloadFormatIndicator;
  return {
    topic,
    payload: payload.toString("hex"),
    qos,
    retain,
    properties: {
      payload_format: format === undefined ? null : Number(format),
      message_expiry_secs: properties.messageExpiryInterval ?? null,
      content_type: properties.contentType ?? null,
      response_topic: properties.responseTopic ?? null,
      correlation_data: properties.correlationData?.toString("hex") ?? null,
      user: toPairs(properties.userProperties ?? {}),
      subscription_identifiers: [properties.subscriptionIdentifier ?? []].flat(),
    },
  };
}

function toObject(pairs) {
  const object = {};
  for (const [name, value] of pairs) object[name] = name in object ? [object[name], value].flat() : value;
  return object;
}

function toPairs(object) {
  return Object.entries(object).flatMap(([name, values]) => [values].flat().map((value) => [name, value]));
}
