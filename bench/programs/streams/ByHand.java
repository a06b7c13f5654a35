import java.util.List;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The Processor API: two key-value stores with caches, the window kept by hand; a read and a write of each a message. The
 * argument says where the stores are: "persistent" (RocksDB, the default of Kafka Streams) or "memory".
 */
public final class ByHand {
    private static final long WINDOW_MS = 60_000;

    private ByHand() {}

    public static void main(String[] arguments) {
        StreamsBuilder builder = new StreamsBuilder();
        for (String name : List.of("lives", "minutes")) {
            KeyValueBytesStoreSupplier store = arguments[0].equals("memory")
                ? Stores.inMemoryKeyValueStore(name)
                : Stores.persistentKeyValueStore(name);
            builder.addStateStore(
                Stores.keyValueStoreBuilder(store, Serdes.String(), Sums.serde()).withCachingEnabled());
        }
        KStream<String, Row[]> messages = Job.BATCHED
            ? builder.stream(Job.INPUT, Consumed.with(Serdes.String(), Row.serde(Row[].class)))
            : builder.stream(Job.INPUT, Consumed.with(Serdes.String(), Row.serde(Row.class)))
                .mapValues(row -> new Row[] {row});
        messages.processValues(Summing::new, "lives", "minutes").to(
            Job.OUTPUT, Produced.with(Serdes.String(), Serdes.String()));
        Job.run(builder);
    }

    private static final class Summing implements FixedKeyProcessor<String, Row[], String> {
        private FixedKeyProcessorContext<String, String> context;
        private KeyValueStore<String, Sums> lives;
        private KeyValueStore<String, Sums> minutes;

        @Override
        public void init(FixedKeyProcessorContext<String, String> context) {
            this.context = context;
            lives = context.getStateStore("lives");
            minutes = context.getStateStore("minutes");
        }

        @Override
        public void process(FixedKeyRecord<String, Row[]> message) {
            String key = message.key();
            Sums life = lives.get(key);
            Sums window = minutes.get(key);
            life = life == null ? new Sums() : life;
            window = window == null ? new Sums() : window;
            boolean closed = false;
            for (Row row : message.value()) {
                long timeMs = row.timeMs();
                long start = window.timeMs / WINDOW_MS * WINDOW_MS;
                if (window.rows > 0 && start != timeMs / WINDOW_MS * WINDOW_MS) {
                    context.forward(message.withValue(window.record(key, start)));
                    window = new Sums();
                    closed = true;
                }
                life.add(row, timeMs);
                window.add(row, timeMs);
            }
            lives.put(key, life);
            minutes.put(key, window);
            if (closed || life.rows == Job.ROWS_PER_ASSET) {
                context.forward(message.withValue(life.record(key, null)));
            }
        }
    }
}
