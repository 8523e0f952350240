"""What is compressed opens again; everything else is refused without taking memory for it."""

import struct
import tracemalloc

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from shared.federation.compression import WINDOW_BYTES, CompressionRefused, compress, decompress

LIMIT = 1000
TEXT = b"customers of level A: 5174; " * 30
FRAME = compress(TEXT)

LONGEST_BLOCK = 128 * 1024
SKIPPABLE = b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + b"skip"


def undeclared(data: bytes) -> bytes:
    """Compress as a sender does who streams: the frame does not say its size."""
    stream = zstandard.ZstdCompressor().compressobj()
    return stream.compress(data) + stream.flush()


def bomb(declared: int | None, blocks: int) -> bytes:
    """Write a frame by hand (RFC 8878 section 3.1.1) of blocks that repeat one byte, 128 KiB each.

    It does not end, and what it declares is a lie.
    """
    window = bytes([0x58])  # 2 MiB
    if declared is None:
        header = zstandard.FRAME_HEADER + bytes([0x00]) + window
    else:
        header = zstandard.FRAME_HEADER + bytes([0x80]) + window + struct.pack("<I", declared)
    repeated = struct.pack("<I", LONGEST_BLOCK << 3 | 1 << 1)[:3] + b"A"
    return header + repeated * blocks


@given(st.binary(max_size=LIMIT))
def test_opens_what_was_compressed(data: bytes) -> None:
    assert decompress(compress(data), limit=LIMIT) == data
    assert decompress(undeclared(data), limit=LIMIT) == data


def test_makes_smaller() -> None:
    assert len(FRAME) < len(TEXT) / 10


@pytest.mark.parametrize("compressed_by", [compress, undeclared])
def test_the_limit_itself_is_allowed(compressed_by: type[bytes]) -> None:
    assert len(decompress(compressed_by(bytes(LIMIT)), limit=LIMIT)) == LIMIT
    with pytest.raises(CompressionRefused, match="more than the 1000 bytes"):
        decompress(compressed_by(bytes(LIMIT + 1)), limit=LIMIT)


@pytest.mark.parametrize(
    "data",
    [
        compress(bytes(100_000_000)),
        undeclared(bytes(100_000_000)),
        bomb(declared=None, blocks=20_000),
        bomb(declared=0, blocks=20_000),
        bomb(declared=LIMIT, blocks=20_000),
        bomb(declared=2**32 - 1, blocks=1),
        bomb(declared=0, blocks=20_000) + compress(b""),
    ],
    ids=["declared", "undeclared", "endless", "nothing", "lying", "boasting", "two"],
)
def test_a_bomb_takes_no_memory(data: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(CompressionRefused):
        decompress(data, limit=LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * LONGEST_BLOCK


def test_a_window_larger_than_rfc_9659_allows_is_refused() -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=0)
    stream = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    frame = stream.compress(TEXT) + stream.flush()
    assert zstandard.get_frame_parameters(frame).window_size > WINDOW_BYTES
    with pytest.raises(CompressionRefused, match="too much memory"):
        decompress(frame, limit=LIMIT)


@pytest.mark.parametrize("data", [TEXT, b"", b"\x28", b"\x1f\x8b\x08\x00", SKIPPABLE + FRAME])
def test_what_is_not_zstd_is_refused(data: bytes) -> None:
    with pytest.raises(CompressionRefused, match="not compressed with zstd"):
        decompress(data, limit=LIMIT)


@pytest.mark.parametrize("frame", [FRAME, undeclared(TEXT), compress(b""), undeclared(b"")])
def test_what_is_cut_is_refused_wherever_it_is_cut(frame: bytes) -> None:
    for length in range(len(frame)):
        with pytest.raises(CompressionRefused):
            decompress(frame[:length], limit=LIMIT)


@pytest.mark.parametrize("frame", [FRAME, undeclared(TEXT), compress(b""), undeclared(b"")])
@pytest.mark.parametrize("rest", [b"\0", b"trailing garbage", SKIPPABLE, FRAME, compress(b"")])
def test_what_goes_on_is_refused(frame: bytes, rest: bytes) -> None:
    with pytest.raises(CompressionRefused):
        decompress(frame + rest, limit=LIMIT)


def test_what_is_altered_is_refused() -> None:
    frame = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(TEXT))
    assert decompress(bytes(frame), limit=LIMIT) == TEXT
    frame[-1] ^= 1
    with pytest.raises(CompressionRefused, match="checksum"):
        decompress(bytes(frame), limit=LIMIT)


@given(st.binary(max_size=300))
def test_whatever_comes_is_opened_within_the_limit_or_refused(tail: bytes) -> None:
    try:
        opened = decompress(zstandard.FRAME_HEADER + tail, limit=LIMIT)
    except CompressionRefused:
        return
    assert len(opened) <= LIMIT
