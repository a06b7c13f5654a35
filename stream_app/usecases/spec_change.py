"""A change of an asset's spec: the tag that it asks for, and what it set back."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from schemas.asset import AssetSpec


@dataclass(frozen=True, slots=True)
class SpecWritten:
    """Where a spec stands, and the fields that had another value and have their default again."""

    partition: int
    offset: int
    reset: list[str]


def spec_tag(spec: AssetSpec) -> str:
    """ETag of a spec."""
    return f'"{sha256(spec.model_dump_json().encode()).hexdigest()[:16]}"'


def reset_fields(before: AssetSpec, after: AssetSpec) -> list[str]:
    """Return the fields that have their default in ``after`` and another value in ``before``."""
    now, default = after.model_dump(), AssetSpec().model_dump()
    # With a profile, a sign that is not given is not written.
    return [
        name
        for name, value in before.model_dump().items()
        if now.get(name) != value and now.get(name) in (None, default[name])
    ]
