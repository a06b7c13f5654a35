"""The accuracy page is made of estimates that agree with their truths."""

from __future__ import annotations

import math

import pytest

from tests.accuracy.assessment import Estimate, estimates
from tests.accuracy.kinds import KINDS
from tests.accuracy.report import page


@pytest.mark.parametrize("kind", ["bess_nmc", "home"])
def test_an_assets_estimates_are_near_its_truths(kind: str) -> None:
    """Four sigma: the share within two is the page's, of many assets."""
    found = list(estimates(kind, range(1), seed=7))
    assert found
    for one in found:
        if kind == "home" and one.metric == "r_step":
            assert one.reason in {"", "low_correlation"}  # of a voltage in steps of 0.1 V
            continue
        assert not one.reason
        assert abs(one.value - one.truth) <= 4 * one.sigma, one


def test_the_page_counts_what_is_within_two_sigma() -> None:
    """One of two is within, the third is null."""
    found = [
        Estimate("fcr", 0, "rte_level", 0.99, 0.991, 0.001, ""),
        Estimate("fcr", 1, "rte_level", 0.99, 0.9, 0.001, ""),
        Estimate("fcr", 2, "rte_level", 0.99, math.nan, math.nan, "too_few_trips"),
    ]
    text = page(found, assets=3, seed=7, command="python -m tests.accuracy")
    assert "| fcr | 2/3 | 50% |" in text
    assert "`too_few_trips`" in text
    assert "0.9910 ± 0.0010" in text
    assert all(f"`{kind}`" in text for kind in KINDS)
