"""Raw messages to columns: one typed pass for what is as it should be, an explanation for the rest."""

from stream_app.wire.decode.codec import Decoder

__all__ = ["Decoder"]
