import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.errors.TopicExistsException;

/** Creates the topics of Tidegate where they are missing, and by that shows that the broker answers. */
public final class Topics {
    private static final Map<String, String> KEEP_LAST = Map.of("cleanup.policy", "compact");

    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        properties.put("default.api.timeout.ms", "60000");
        List<NewTopic> topics = List.of(
            new NewTopic("edge.telemetry", 3, (short) 1),
            new NewTopic("edge.aggregates", 3, (short) 1),
            new NewTopic("edge.alerts", 3, (short) 1),
            new NewTopic("edge.watermarks", 3, (short) 1).configs(KEEP_LAST));
        try (Admin admin = Admin.create(properties)) {
            for (var created : admin.createTopics(topics).values().values()) {
                try {
                    created.get();
                } catch (ExecutionException error) {
                    if (!(error.getCause() instanceof TopicExistsException)) {
                        throw error;
                    }
                }
            }
        }
    }
}
