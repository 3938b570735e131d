// One MQTT.js client whose events become values that a caller can wait for.

import mqtt from "mqtt";
import { fromPacket, toProperties } from "./message.js";
import { Mailbox } from "./mailbox.js";

// How long `arrived` looks for a message before it says that there is none.
const MOMENT_MS = 100;

export class Client {
  constructor(host, port, level) {
    this.broker = { protocol: "mqtt", host, port };
    this.level = level;
    this.isV5 = level === 5;
    this.connacks = new Mailbox("CONNACK");
    this.acks = new Mailbox("an acknowledgement");
    this.messages = new Mailbox("PUBLISH");
    this.ends = new Mailbox("the end of the connection");
  }

  async connect(connect) {
    this.library = mqtt.connect({
      ...this.broker,
      protocolVersion: this.level,
      protocolId: this.level === 3 ? "MQIsdp" : "MQTT",
      clientId: connect.id,
      clean: connect.clean,
      will: connect.will ? this.will(connect.will) : undefined,
      properties: this.isV5 ? connectProperties(connect) : undefined,
      // A test says itself when to connect and to subscribe.
      reconnectPeriod: 0,
      resubscribe: false,
    });
    this.listen();
    const connack = await this.connacks.take();
    return {
      session_present: connack.sessionPresent,
      reason: this.isV5 ? connack.reasonCode : connack.returnCode,
      assigned_id: connack.properties?.assignedClientIdentifier ?? null,
      topic_alias_maximum: connack.properties?.topicAliasMaximum ?? null,
    };
  }

  async subscribe({ filter, qos, identifier, no_local }) {
    const options = { qos };
    if (this.isV5) options.nl = no_local;
    if (this.isV5 && identifier) options.properties = { subscriptionIdentifier: identifier };
    this.library.subscribe(filter, options, () => {});
    return (await this.ack("suback")).granted[0];
  }

  async unsubscribe({ filter }) {
    this.library.unsubscribe(filter, () => {});
    const granted = (await this.ack("unsuback")).granted;
    return this.isV5 ? granted[0] : null;
  }

  async publish(message) {
    const { topic, qos, retain } = message;
    const options = { qos, retain };
    if (this.isV5) options.properties = toProperties(message.properties);
    await this.library.publishAsync(topic, Buffer.from(message.payload, "hex"), options);
    if (qos === 0) return null;
    const ack = await this.ack(qos === 1 ? "puback" : "pubrec");
    if (qos === 2) await this.ack("pubcomp");
    return this.isV5 ? (ack.reasonCode ?? 0) : null;
  }

  receive() {
    return this.messages.take();
  }

  arrived() {
    return this.messages.takeWithin(MOMENT_MS).catch(() => null);
  }

  async ended() {
    const disconnect = await this.ends.take();
    return disconnect?.reasonCode ?? null;
  }

  disconnect() {
    return this.library.endAsync();
  }

  async vanish() {
    this.library.stream.destroy();
    await this.ends.take();
  }

  listen() {
    let disconnect = null;
    this.library.on("packetreceive", (packet) => {
      if (packet.cmd === "connack") this.connacks.put(packet);
      if (packet.cmd === "disconnect") disconnect = packet;
      if (/^(puback|pubrec|pubcomp|suback|unsuback)$/.test(packet.cmd)) this.acks.put(packet);
    });
    this.library.on("message", (topic, payload, packet) => this.messages.put(fromPacket(topic, payload, packet)));
    this.library.on("close", () => this.ends.put(disconnect));
    this.library.on("error", (error) => process.stderr.write(`MQTT.js: ${error.message}\n`));
  }

  // Each step waits for its own answer, so the next answer must be of the kind this step expects.
  async ack(kind) {
    const packet = await this.acks.take();
    if (packet.cmd !== kind) throw new Error(`${packet.cmd} came where ${kind} was due`);
    return packet;
  }

  will({ topic, payload, qos, retain, properties }) {
    const will = { topic, payload: Buffer.from(payload, "hex"), qos, retain };
    return this.isV5 ? { ...will, properties: toProperties(properties) } : will;
  }
}

function connectProperties(connect) {
  const properties = {};
  if (connect.session_expiry_secs !== null) properties.sessionExpiryInterval = connect.session_expiry_secs;
  if (connect.topic_alias_maximum !== null) properties.topicAliasMaximum = connect.topic_alias_maximum;
  return properties;
}
