"""What whoever asks may do."""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Final, Literal, get_args

import msgspec

Scope = Literal["read", "write", "admin"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may do, and with which assets.

    Parameters
    ----------
    subject
        Who it is, as the audit log names it: no secret.
    scopes
        ``read``: look up; ``write``: send rows, files and specs; ``admin``: all, and delete.
    prefix
        What the ids of all assets that exist for the asker begin with.
    expires_s
        When they end, in seconds since 1970; None: never.
    """

    subject: str
    scopes: frozenset[Scope]
    prefix: str = ""
    expires_s: int | None = field(default=None, compare=False)

    def until(self, expires_s: int) -> Rights:
        """The same rights with another end."""
        return replace(self, expires_s=expires_s)

    def may(self, scope: Scope) -> bool:
        """Whether the scope is granted."""
        return scope in self.scopes or "admin" in self.scopes

    def sees(self, asset_id: str) -> bool:
        """Whether an asset exists for the asker."""
        return asset_id.startswith(self.prefix)

    def narrowed(self, prefix: str) -> str | None:
        """Prefix of the assets that begin with ``prefix`` and exist for the asker; None: there are none."""
        if prefix.startswith(self.prefix):
            return prefix
        return self.prefix if self.prefix.startswith(prefix) else None

    def written(self) -> str:
        """The rights as text for another worker, in ASCII."""
        return json.dumps([self.subject, sorted(self.scopes), self.prefix])

    @classmethod
    def read(cls, text: str) -> Rights | None:
        """The inverse of :meth:`written`; None: it is no such text."""
        try:
            subject, scopes, prefix = msgspec.json.decode(text, type=tuple[str, frozenset[Scope], str])
        except msgspec.MsgspecError:
            return None
        return cls(subject, scopes, prefix)


#: Of everybody where there is no access control, and of the workers themselves.
EVERYTHING: Final = Rights("anyone", frozenset(SCOPES))

_current: ContextVar[Rights] = ContextVar("rights", default=EVERYTHING)


def current_rights() -> Rights:
    """Rights of whoever asked what is being answered; everything outside of a request."""
    return _current.get()


def ask_with(rights: Rights) -> None:
    """From here on, in this task, somebody with these rights asks."""
    _current.set(rights)
