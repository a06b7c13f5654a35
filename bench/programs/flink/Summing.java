import java.time.Instant;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * Lifetime and window in one state, the window kept by hand: an asset's own next minute closes it; window and lifetime go
 * out then, and the lifetime with the asset's last row.
 */
final class Summing extends KeyedProcessFunction<String, Row, String> {
    private static final long WINDOW_MS = 60_000;

    private final long rowsPerAsset;
    private transient ValueState<State> states;

    Summing(long rowsPerAsset) {
        this.rowsPerAsset = rowsPerAsset;
    }

    @Override
    public void open(OpenContext context) {
        states = getRuntimeContext().getState(new ValueStateDescriptor<>("state", State.class));
    }

    @Override
    public void processElement(Row row, Context context, Collector<String> out) throws Exception {
        State state = states.value();
        state = state == null ? new State() : state;
        long timeMs = Instant.parse(row.timestamp).toEpochMilli();
        long start = state.window.timeMs / WINDOW_MS * WINDOW_MS;
        boolean closed = state.window.rows > 0 && start != timeMs / WINDOW_MS * WINDOW_MS;
        if (closed) {
            out.collect(state.window.record(row.asset_id, start));
            state.window = new Sums();
        }
        state.life.add(row, timeMs);
        state.window.add(row, timeMs);
        states.update(state);
        if (closed || state.life.rows == rowsPerAsset) {
            out.collect(state.life.record(row.asset_id, null));
        }
    }
}
