from example.consume_metrics import Newest
from schemas.metrics import MetricsUpdate, Window


def update(seq: int, *, start: str = "s", final: bool = False) -> MetricsUpdate:
    return MetricsUpdate(asset_id="a", window=Window(size="1m", start=start, end="e"), seq=seq, final=final, metrics={})


def test_repetitions_are_no_news() -> None:
    """Of an asset's window, only a higher ``seq`` is news; another window has its own."""
    newest = Newest()
    seen = [update(4), update(4), update(3), update(7, final=True), update(7, final=True), update(5, start="t")]
    assert [newest.is_news(each) for each in seen] == [True, False, False, True, False, True]
