import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import org.apache.flink.api.common.serialization.DeserializationSchema.InitializationContext;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** Rows of a message, which holds one or an array of them. */
final class Rows implements KafkaRecordDeserializationSchema<Row> {
    private final boolean batched;
    private transient ObjectReader reader;

    Rows(boolean batched) {
        this.batched = batched;
    }

    @Override
    public void open(InitializationContext context) {
        reader = new ObjectMapper().readerFor(batched ? Row[].class : Row.class);
    }

    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> message, Collector<Row> out) throws IOException {
        if (batched) {
            for (Row row : reader.<Row[]>readValue(message.value())) {
                out.collect(row);
            }
        } else {
            out.collect(reader.readValue(message.value()));
        }
    }

    @Override
    public TypeInformation<Row> getProducedType() {
        return TypeInformation.of(Row.class);
    }
}
