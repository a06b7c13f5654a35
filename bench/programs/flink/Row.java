/** A row of telemetry, as it stands in a message. */
public final class Row {
    public String asset_id;
    public String timestamp;
    public double current;
    public double voltage;
    public double soc;

    public Row() {}
}
