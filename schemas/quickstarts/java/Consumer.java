///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 17+
//DEPS org.apache.kafka:kafka-clients:4.1.0
//DEPS io.cloudevents:cloudevents-kafka:4.0.1
//DEPS com.fasterxml.jackson.core:jackson-databind:2.19.2

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.cloudevents.CloudEvent;
import io.cloudevents.kafka.CloudEventDeserializer;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Reads what comes of cancellations, until it is stopped: {@code jbang Consumer.java}. */
public class Consumer {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", System.getenv().getOrDefault("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"),
                "group.id", "quickstart-java",
                "auto.offset.reset", "earliest",
                "enable.auto.commit", false);
        Set<String> seen = new HashSet<>(); // yours belongs into the database, in the transaction of what is done
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new CloudEventDeserializer())) {
            consumer.subscribe(List.of("cancellation-status", "credit-adjustment"));
            while (true) {
                for (ConsumerRecord<String, CloudEvent> record : consumer.poll(Duration.ofSeconds(1))) {
                    CloudEvent event = record.value();
                    // Each event comes at least once; a repeat has the id of the first.
                    if (seen.add(event.getId())) {
                        handle(event.getType(), JSON.readTree(event.getData().toBytes()));
                    }
                }
                consumer.commitSync();
            }
        }
    }

    /** What an invoicing side would do; unknown types and fields are passed over. */
    private static void handle(String type, JsonNode data) {
        String subscription = data.get("subscription_id").asText();
        switch (type) {
            case "cancellation-scheduled" ->
                System.out.println(subscription + " ends " + data.get("end_date").asText());
            case "credit-adjustment" ->
                System.out.println(String.join(" ", subscription, data.get("direction").asText(),
                        data.get("amount").asText(), data.get("currency").asText()));
            default -> { }
        }
    }
}
