import java.util.TreeMap;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.formats.common.TimestampFormat;
import org.apache.flink.formats.json.JsonRowDataDeserializationSchema;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.MapData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.RowType;

/** Reads updates, a line each, as Flink SQL's format json reads a table with these columns; writes what it has read. */
class FlinkReader {
    private static final RowType TABLE = (RowType) DataTypes.ROW(
            DataTypes.FIELD("asset_id", DataTypes.STRING().notNull()),
            DataTypes.FIELD("window", DataTypes.ROW(
                    DataTypes.FIELD("size", DataTypes.STRING()),
                    DataTypes.FIELD("start", DataTypes.TIMESTAMP_LTZ(3)),
                    DataTypes.FIELD("end", DataTypes.TIMESTAMP_LTZ(3)))),
            DataTypes.FIELD("seq", DataTypes.BIGINT()),
            DataTypes.FIELD("final", DataTypes.BOOLEAN()),
            DataTypes.FIELD("values", DataTypes.MAP(DataTypes.STRING(), DataTypes.DOUBLE())))
            .getLogicalType();

    public static void main(String[] arguments) throws Exception {
        // A missing field and an error of parsing fail; fields that the table does not have are left out.
        var reader = new JsonRowDataDeserializationSchema(
                TABLE, TypeInformation.of(RowData.class), true, false, TimestampFormat.ISO_8601);
        reader.open(null);
        for (String line : new String(System.in.readAllBytes(), "UTF-8").split("\n")) {
            RowData row = reader.deserialize(line.getBytes("UTF-8"));
            RowData window = row.getRow(1, 3);
            MapData read = row.getMap(4);
            var values = new TreeMap<String, Double>();
            for (int i = 0; i < read.size(); i++) {
                values.put(read.keyArray().getString(i).toString(), read.valueArray().getDouble(i));
            }
            var text = new StringBuilder();
            values.forEach((name, value) -> text.append(text.isEmpty() ? "" : ",").append('"' + name + "\":" + value));
            System.out.printf(
                    "{\"asset_id\":\"%s\",\"size\":\"%s\",\"start_ms\":%d,\"seq\":%d,\"final\":%s,\"values\":{%s}}%n",
                    row.getString(0), window.getString(0), window.getTimestamp(1, 3).getMillisecond(), row.getLong(2),
                    row.getBoolean(3), text);
        }
    }
}
