import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Instant;
import java.util.Map;

/** Reads updates, a line each, into a class with one type for all values; writes what it has read. */
class JacksonReader {
    record Window(String size, String start, String end) {}

    @JsonIgnoreProperties("metrics")
    record Update(
            @JsonProperty("asset_id") String assetId,
            Window window,
            long seq,
            Integer partition,
            @JsonProperty("final") boolean isFinal,
            Map<String, Double> values) {}

    record Read(
            @JsonProperty("asset_id") String assetId,
            String size,
            @JsonProperty("start_ms") long startMs,
            long seq,
            @JsonProperty("final") boolean isFinal,
            Map<String, Double> values) {}

    public static void main(String[] arguments) throws Exception {
        var json = new ObjectMapper();
        for (String line : new String(System.in.readAllBytes(), "UTF-8").split("\n")) {
            var update = json.readValue(line, Update.class);
            var startMs = Instant.parse(update.window().start()).toEpochMilli();
            var read = new Read(update.assetId(), update.window().size(), startMs, update.seq(), update.isFinal(), update.values());
            System.out.println(json.writeValueAsString(read));
        }
    }
}
