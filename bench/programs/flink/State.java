/** What Flink keeps of an asset. */
public final class State {
    public Sums life = new Sums();
    public Sums window = new Sums();

    public State() {}
}
