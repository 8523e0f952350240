"""Compressing what goes over a link, and opening it without trusting it.

A body is one *frame* of Zstandard (RFC 8878), content coding ``zstd`` (RFC 9659). A frame that is
small on the wire may open into gigabytes, so the reader names a limit, and little more memory than
that is ever taken: beside the opened bytes only the window, ``WINDOW_BYTES`` at most. Whatever else
is not one whole frame is refused too: one that is cut or altered, what follows one, what is none.
"""

import zstandard

LEVEL = 3
WINDOW_BYTES = 8 * 1024 * 1024  # what RFC 9659 section 3 lets a sender use


class CompressionRefused(Exception):
    """A body is not one whole zstd frame of acceptable size."""


def compress(data: bytes) -> bytes:
    """Return ``data`` as one zstd frame, which declares the size that it opens into."""
    return zstandard.ZstdCompressor(level=LEVEL).compress(data)


def decompress(data: bytes, *, limit: int) -> bytes:
    """Open one zstd frame.

    Args:
        data: the frame, and nothing after it.
        limit: the most bytes that it may open into.

    Raises:
        CompressionRefused: if it opens into more, is cut, altered or followed by something, or is
            no zstd frame.
    """
    if not data.startswith(zstandard.FRAME_HEADER):
        raise CompressionRefused("The body is not compressed with zstd: it does not begin as one.")
    try:
        return _open(data, limit)
    except zstandard.ZstdError as error:
        raise CompressionRefused(f"The body is not exactly one zstd frame: {error}.") from error


def _open(data: bytes, limit: int) -> bytes:
    declared = zstandard.get_frame_parameters(data).content_size
    if declared in {zstandard.CONTENTSIZE_UNKNOWN, 0}:
        return _open_undeclared(data, limit)
    # The library takes as much memory as the frame declares, whatever limit it is given; and never
    # more, so that a frame which declares too little fails.
    if declared > limit:
        raise _too_large(limit)
    return _opener().decompress(data, allow_extra_data=False)


def _open_undeclared(data: bytes, limit: int) -> bytes:
    """Open a frame that does not say how large it is.

    One that says "nothing" comes here as well: the library would believe it without looking. Its
    reader can stop at a limit but cannot tell a whole frame from a cut one, its decompressor object
    the other way round; so the reader goes first, and the object over what is known to be bounded.
    """
    with _opener().stream_reader(data) as reader:
        if len(reader.read(limit + 1)) > limit:
            raise _too_large(limit)
    frame = _opener().decompressobj()
    opened = frame.decompress(data)
    if not frame.eof:
        raise CompressionRefused("The body is cut: its zstd frame does not end.")
    if frame.unused_data:
        raise CompressionRefused(f"{len(frame.unused_data)} bytes follow the body's zstd frame.")
    return opened


def _too_large(limit: int) -> CompressionRefused:
    return CompressionRefused(f"The body opens into more than the {limit} bytes taken here.")


def _opener() -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES)
