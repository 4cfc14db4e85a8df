// Sends one subscription, its invoice and its cancellation.
//
//   npm ci && npm run build && KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 npm run producer S1

import { CloudEvent, Kafka as Binding } from "cloudevents";
import { Kafka, type IHeaders } from "kafkajs";

const subscription = process.argv[2] ?? "S1";
const servers = (process.env.KAFKA_BOOTSTRAP_SERVERS ?? "127.0.0.1:9092").split(",");
const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

const agreement = {
  subscription_id: subscription,
  customer_id: "C1",
  currency: "DKK",
  time_zone: "Europe/Copenhagen",
  start_date: day(0),
  interval: "P30D",
  lines: [{ line_id: "paper", amount: "300.00", description: "The paper" }],
};
const period = { start: day(0), end: day(30) };
const charge = { charge_id: `${subscription}-1`, line_id: "paper", period, amount: "300.00" };
const invoice = { subscription_id: subscription, invoice_id: `${subscription}-I1`, charges: [charge] };
// The date is the first day that is not active.
const request = { subscription_id: subscription, end: { mode: "on-date", date: day(20) }, requested_by: "customer" };

const producer = new Kafka({ brokers: servers }).producer({ idempotent: true });
await producer.connect();
for (const [topic, type, data] of [
  ["subscription-lifecycle", "subscription-activated", agreement],
  ["subscription-lifecycle", "invoice-issued", invoice],
  ["cancellation-requested", "cancellation-requested", request],
] as const) {
  const event = new CloudEvent({
    id: `${subscription}-${type}`, // sent again with the same id, it counts once
    source: "/quickstart",
    type,
    datacontenttype: "application/json",
    partitionkey: subscription, // becomes the record's key: one subscription, one partition
    data,
  });
  // In structured mode: attributes and data in one value.
  const { headers, key, value } = Binding.structured(event);
  await producer.send({
    topic,
    messages: [{ key: key as string, value: value as string, headers: headers as IHeaders }],
  });
  console.log("sent", type);
}
await producer.disconnect();
