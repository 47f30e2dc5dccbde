package tidegate;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFilterFunction;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/**
 * The average of each signal over a whole fleet: what one box cannot see. Batches of all gateways come from Kafka, each once by its
 * {@code ce_id}, and count in the windows of their sensors' own time.
 *
 * <p>Without a cluster it runs in Flink's mini cluster, up to the end that the topic has at the start, and prints a JSON line for
 * each window. Arguments: brokers, topic, prefix of the gateways' ids, window and slide in seconds.
 */
public final class RollingAverage {
    /** How long after others a reading may come and still count: a box that was cut off drains its backlog within this. */
    private static final Duration LATENESS = Duration.ofMinutes(10);

    /** For how long a {@code ce_id} is remembered: a double comes from a retry, within minutes. */
    private static final Duration REMEMBERED = Duration.ofDays(1);

    private static final OutputTag<Sample> LATE = new OutputTag<>("late", TypeInformation.of(Sample.class));

    /** A good or uncertain value on its way through the job; public fields make it a POJO for Flink. */
    public static final class Sample {
        public String id;
        public String gateway;
        public String signal;
        public long timeMs;
        public double value;

        public Sample() {}

        Sample(String id, String gateway, TidegateBatch.Reading reading) {
            this.id = id;
            this.gateway = gateway;
            signal = reading.signal();
            timeMs = reading.timeMs();
            value = reading.value();
        }
    }

    /** One record to its values. Their timestamps are the sensors', so that each partition has a watermark of its own. */
    public static final class Samples implements KafkaRecordDeserializationSchema<Sample> {
        private final String gateways;

        Samples(String gateways) {
            this.gateways = gateways;
        }

        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Sample> out) {
            if (!"application/vnd.tidegate.batch".equals(header(record, "content-type"))) {
                return;
            }
            String id = header(record, "ce_id");
            if (!id.startsWith(gateways)) {
                return;
            }
            TidegateBatch.Batch batch = TidegateBatch.decode(record.value());
            List<TidegateBatch.Reading> readings = batch.readings();
            for (int place = 0; place < readings.size(); place++) {
                if (readings.get(place).value() != null) {
                    out.collect(new Sample(id + "#" + place, batch.gateway(), readings.get(place)));
                }
            }
        }

        private static String header(ConsumerRecord<byte[], byte[]> record, String key) {
            Header header = record.headers().lastHeader(key);
            return header == null ? "" : new String(header.value(), StandardCharsets.UTF_8);
        }

        @Override
        public TypeInformation<Sample> getProducedType() {
            return TypeInformation.of(Sample.class);
        }
    }

    /** Lets the first of each id pass. */
    public static final class FirstOfEach extends RichFilterFunction<Sample> {
        private transient ValueState<Boolean> seen;

        @Override
        public void open(OpenContext context) {
            ValueStateDescriptor<Boolean> state = new ValueStateDescriptor<>("seen", Types.BOOLEAN);
            state.enableTimeToLive(StateTtlConfig.newBuilder(REMEMBERED).build());
            seen = getRuntimeContext().getState(state);
        }

        @Override
        public boolean filter(Sample sample) throws Exception {
            boolean isFirst = seen.value() == null;
            seen.update(true);
            return isFirst;
        }
    }

    /** Count and mean so far, by Welford's method. */
    public static final class Mean {
        public long n;
        public double mean;
    }

    /** Averages the samples of a window. */
    public static final class Averaging implements AggregateFunction<Sample, Mean, Mean> {
        @Override
        public Mean createAccumulator() {
            return new Mean();
        }

        @Override
        public Mean add(Sample sample, Mean mean) {
            mean.n++;
            mean.mean += (sample.value - mean.mean) / mean.n;
            return mean;
        }

        @Override
        public Mean getResult(Mean mean) {
            return mean;
        }

        @Override
        public Mean merge(Mean one, Mean other) {
            long n = one.n + other.n;
            one.mean += (other.mean - one.mean) * other.n / n;
            one.n = n;
            return one;
        }
    }

    /** One line of JSON for each window. */
    public static final class Line extends ProcessWindowFunction<Mean, String, String, TimeWindow> {
        @Override
        public void process(String signal, Context context, Iterable<Mean> means, Collector<String> out) {
            Mean mean = means.iterator().next();
            TimeWindow window = context.window();
            out.collect(String.format(
                    "{\"signal\":\"%s\",\"start\":%d,\"end\":%d,\"n\":%d,\"mean\":%s}",
                    signal, window.getStart(), window.getEnd(), mean.n, mean.mean));
        }
    }

    public static void main(String[] arguments) throws Exception {
        String brokers = arguments[0];
        String topic = arguments[1];
        String gateways = arguments[2];
        Duration window = Duration.ofSeconds(Long.parseLong(arguments[3]));
        Duration slide = Duration.ofSeconds(Long.parseLong(arguments[4]));
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        environment.setParallelism(2);
        KafkaSource<Sample> source = KafkaSource.<Sample>builder()
                .setBootstrapServers(brokers)
                .setTopics(topic)
                .setProperty("isolation.level", "read_committed")
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setBounded(OffsetsInitializer.latest())
                .setDeserializer(new Samples(gateways))
                .build();
        WatermarkStrategy<Sample> times = WatermarkStrategy.<Sample>forBoundedOutOfOrderness(LATENESS)
                .withTimestampAssigner((sample, ofRecord) -> sample.timeMs);
        DataStream<Sample> samples = environment.fromSource(source, times, topic)
                .keyBy(sample -> sample.id)
                .filter(new FirstOfEach());
        SingleOutputStreamOperator<String> averages = samples.keyBy(sample -> sample.signal)
                .window(SlidingEventTimeWindows.of(window, slide))
                .sideOutputLateData(LATE)
                .aggregate(new Averaging(), new Line());
        DataStream<String> late = averages.getSideOutput(LATE)
                .map(sample -> "{\"late\":\"" + sample.id + "\"}")
                .returns(Types.STRING);
        averages.union(late).executeAndCollect("fleet average").forEachRemaining(System.out::println);
    }

    private RollingAverage() {}
}
