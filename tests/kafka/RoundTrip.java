import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Shows that the test broker keeps the promises which Tidegate's uplink builds on: a committed transaction is seen once, an
 * aborted one never, and a second producer with the same transactional id fences the first.
 */
public final class RoundTrip {
    private static final Duration WAIT_MAX = Duration.ofSeconds(60);

    public static void main(String[] arguments) {
        String servers = arguments[0];
        String topic = "check." + UUID.randomUUID();
        try (var first = producer(servers, topic)) {
            first.initTransactions();
            send(first, topic, "committed");
            first.commitTransaction();
            send(first, topic, "aborted");
            first.abortTransaction();
            send(first, topic, "left open");
            try (var second = producer(servers, topic)) {
                second.initTransactions();
                send(second, topic, "after the takeover");
                second.commitTransaction();
            }
            expectFenced(first);
        }
        List<String> seen = readCommitted(servers, topic, 2);
        if (!seen.equals(List.of("committed", "after the takeover"))) {
            throw new IllegalStateException("read_committed saw " + seen);
        }
        System.out.println("transactions: committed seen once, aborted and open never, the old producer is fenced");
    }

    private static KafkaProducer<String, String> producer(String servers, String id) {
        return new KafkaProducer<>(
            Map.of("bootstrap.servers", servers, "transactional.id", id, "compression.type", "zstd"),
            new StringSerializer(), new StringSerializer());
    }

    private static void send(KafkaProducer<String, String> producer, String topic, String value) {
        producer.beginTransaction();
        producer.send(new ProducerRecord<>(topic, 0, "key", value));
        producer.flush();
    }

    private static void expectFenced(KafkaProducer<String, String> producer) {
        try {
            producer.commitTransaction();
        } catch (ProducerFencedException expected) {
            return;
        }
        throw new IllegalStateException("a producer that was taken over could still commit");
    }

    /** Reads until the last stable offset has reached the end, so that a record too many would be seen as well. */
    private static List<String> readCommitted(String servers, String topic, int count) {
        List<String> values = new ArrayList<>();
        Map<String, Object> properties = Map.of("bootstrap.servers", servers, "isolation.level", "read_committed");
        TopicPartition partition = new TopicPartition(topic, 0);
        try (var consumer = new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer())) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long deadline = System.nanoTime() + WAIT_MAX.toNanos();
            while (values.size() < count || consumer.currentLag(partition).orElse(1) > 0) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("only " + values + " after " + WAIT_MAX);
                }
                consumer.poll(Duration.ofMillis(200)).forEach(record -> values.add(record.value()));
            }
        }
        return values;
    }
}
