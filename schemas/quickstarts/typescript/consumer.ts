// Reads what comes of cancellations, until it is stopped.
//
//   npm ci && npm run build && KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 npm run consumer

import { Kafka as Binding, type CloudEvent, type Headers } from "cloudevents";
import { Kafka } from "kafkajs";

const servers = (process.env.KAFKA_BOOTSTRAP_SERVERS ?? "127.0.0.1:9092").split(",");
const consumer = new Kafka({ brokers: servers }).consumer({ groupId: "quickstart-typescript" });
const seen = new Set<string>(); // yours belongs into the database, in the transaction of what is done

// What an invoicing side would do; unknown types and fields are passed over.
function handle(type: string, data: Record<string, string>): void {
  if (type === "cancellation-scheduled") console.log(data.subscription_id, "ends", data.end_date);
  if (type === "credit-adjustment") console.log(data.subscription_id, data.direction, data.amount, data.currency);
}

await consumer.connect();
await consumer.subscribe({ topics: ["cancellation-status", "credit-adjustment"], fromBeginning: true });
await consumer.run({
  // Each event at least once; a repeat has the id of the first.
  eachMessage: async ({ message }) => {
    const headers: Headers = {};
    for (const [name, value] of Object.entries(message.headers ?? {})) headers[name] = String(value);
    const value = message.value?.toString();
    const event = Binding.toEvent<Record<string, string>>({ headers, key: "", value, body: value } as never);
    const { id, type, data } = event as CloudEvent<Record<string, string>>;
    if (!seen.has(id) && data) handle(type, data);
    seen.add(id);
  },
});
