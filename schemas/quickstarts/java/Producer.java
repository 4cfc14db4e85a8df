///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 17+
//DEPS org.apache.kafka:kafka-clients:4.1.0
//DEPS io.cloudevents:cloudevents-kafka:4.0.1

import io.cloudevents.CloudEvent;
import io.cloudevents.core.builder.CloudEventBuilder;
import io.cloudevents.kafka.CloudEventSerializer;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** Sends one subscription, its invoice and its cancellation: {@code jbang Producer.java S1}. */
public class Producer {
    private record Said(String topic, String type, String data) {}

    public static void main(String[] arguments) throws Exception {
        String subscription = arguments[0];
        LocalDate start = LocalDate.now();
        // In binary mode unless the serializer is configured otherwise: attributes as headers, the data as the value.
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", System.getenv().getOrDefault("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"),
                "enable.idempotence", true);
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new CloudEventSerializer())) {
            for (Said said : events(subscription, start)) {
                CloudEvent event = CloudEventBuilder.v1()
                        .withId(subscription + "-" + said.type()) // sent again with the same id, it counts once
                        .withSource(URI.create("/quickstart"))
                        .withType(said.type())
                        .withTime(OffsetDateTime.now())
                        .withData("application/json", said.data().getBytes(StandardCharsets.UTF_8))
                        .build();
                // The key keeps one subscription on one partition.
                producer.send(new ProducerRecord<>(said.topic(), subscription, event)).get();
                System.out.println("sent " + said.type());
            }
        }
    }

    private static List<Said> events(String subscription, LocalDate start) {
        String agreement = """
                {"subscription_id": "%s", "customer_id": "C1", "currency": "DKK", "time_zone": "Europe/Copenhagen",
                 "start_date": "%s", "interval": "P30D",
                 "lines": [{"line_id": "paper", "amount": "300.00", "description": "The paper"}]}
                """.formatted(subscription, start);
        String invoice = """
                {"subscription_id": "%1$s", "invoice_id": "%1$s-I1",
                 "charges": [{"charge_id": "%1$s-1", "line_id": "paper", "amount": "300.00",
                              "period": {"start": "%2$s", "end": "%3$s"}}]}
                """.formatted(subscription, start, start.plusDays(30));
        // The date is the first day that is not active.
        String request = """
                {"subscription_id": "%s", "end": {"mode": "on-date", "date": "%s"}, "requested_by": "customer"}
                """.formatted(subscription, start.plusDays(20));
        return List.of(
                new Said("subscription-lifecycle", "subscription-activated", agreement),
                new Said("subscription-lifecycle", "invoice-issued", invoice),
                new Said("cancellation-requested", "cancellation-requested", request));
    }
}
