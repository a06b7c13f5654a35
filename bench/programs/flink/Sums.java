import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.LinkedHashMap;
import java.util.Map;

/** The same sums as those of bench/programs/fold.py; public fields, so that Flink has a serializer for them. */
public final class Sums {
    private static final ObjectMapper JSON = new ObjectMapper();

    public double energyOut;
    public double energyIn;
    public double chargeOut;
    public double chargeIn;
    public double travel;
    public double travelIn;
    public double travelOut;
    public double soc = Double.NaN;
    public double socIn = Double.NaN;
    public double socOut = Double.NaN;
    public long rows;
    public long timeMs;

    public Sums() {}

    void add(Row row, long timeMs) {
        if (row.current > 0) {
            energyIn += row.current * row.voltage;
            chargeIn += row.current;
            travelIn += change(socIn, row.soc);
            socIn = row.soc;
        } else if (row.current < 0) {
            energyOut -= row.current * row.voltage;
            chargeOut -= row.current;
            travelOut += change(socOut, row.soc);
            socOut = row.soc;
        }
        travel += change(soc, row.soc);
        soc = row.soc;
        rows++;
        this.timeMs = timeMs;
    }

    private static double change(double from, double to) {
        return Double.isNaN(from) ? 0 : Math.abs(to - from);
    }

    /** The record that goes out: of a window that starts at a time [ms], or of the lifetime (null). */
    String record(String assetId, Long window) throws JsonProcessingException {
        Map<String, Object> record = new LinkedHashMap<>();
        record.put("asset_id", assetId);
        record.put("window", window);
        record.put("rows", rows);
        record.put("charge_in_as", chargeIn);
        record.put("charge_out_as", chargeOut);
        record.put("energy_in_j", energyIn);
        record.put("energy_out_j", energyOut);
        record.put("travel_percent", travel);
        record.put("travel_in_percent", travelIn);
        record.put("travel_out_percent", travelOut);
        record.put("timestamp", timeMs);
        return JSON.writeValueAsString(record);
    }
}
