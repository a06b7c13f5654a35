"""Profiles: files of certain devices and programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stream_app.infra.files.profiles.cyclers import CYCLERS
from stream_app.infra.files.profiles.homes import HOMES
from stream_app.infra.files.profiles.profile import Profile, core
from stream_app.infra.files.profiles.vehicles import VEHICLES
from stream_app.usecases.errors import InvalidError

PROFILES: Final = {profile.name: profile for profile in (*CYCLERS, *HOMES, *VEHICLES)}
#: As ``--profile``: take the titles as they are.
NO_PROFILE: Final = "none"


def profile_of(titles: Sequence[str], given: str | None = None) -> Profile | None:
    """The profile that a table's titles show, or the one that the user gives.

    Raises
    ------
    InvalidError
        There is no such profile.
    """
    if given is None:
        found = {core(title) for title in titles} if len(titles) > 2 else set()
        return next((profile for profile in PROFILES.values() if profile.fits(found)), None)
    if given != NO_PROFILE and given not in PROFILES:
        detail = f"there is no profile {given!r}: name one of {', '.join(PROFILES)}, or {NO_PROFILE}"
        raise InvalidError("bad_spec", detail, None, "profile")
    return PROFILES.get(given)


__all__ = ["NO_PROFILE", "PROFILES", "Profile", "profile_of"]
