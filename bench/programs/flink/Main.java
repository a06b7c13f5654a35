import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Flink in one JVM: one keyed process function, state on the heap, a checkpoint every five seconds, at least once. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        String broker = System.getenv("BENCH_BROKER");
        Configuration settings = new Configuration();
        settings.setString("state.backend.type", "hashmap");
        settings.setString("execution.checkpointing.storage", "filesystem");
        settings.setString("execution.checkpointing.dir", "file://" + System.getenv("BENCH_DIRECTORY") + "/checkpoints");
        settings.setString("execution.checkpointing.interval", "5 s");
        settings.setString("pipeline.object-reuse", "true");
        StreamExecutionEnvironment flink = StreamExecutionEnvironment.createLocalEnvironment(1, settings);
        KafkaSource<Row> source = KafkaSource.<Row>builder()
            .setBootstrapServers(broker)
            .setTopics(System.getenv("BENCH_INPUT"))
            .setGroupId(System.getenv("BENCH_RUN"))
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setDeserializer(new Rows(System.getenv("BENCH_BATCHED").equals("1")))
            .build();
        KafkaSink<String> sink = KafkaSink.<String>builder()
            .setBootstrapServers(broker)
            .setRecordSerializer(KafkaRecordSerializationSchema.builder()
                .setTopic(System.getenv("BENCH_OUTPUT"))
                .setValueSerializationSchema(new SimpleStringSchema())
                .build())
            .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
            .setProperty("compression.type", "lz4")
            .build();
        flink.fromSource(source, WatermarkStrategy.noWatermarks(), "rows")
            .keyBy(row -> row.asset_id)
            .process(new Summing(Long.parseLong(System.getenv("BENCH_ROWS_PER_ASSET"))))
            .sinkTo(sink);
        flink.execute("sums");
    }
}
