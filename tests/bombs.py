"""Pictures that claim to be larger than they are, as decompression bombs do."""

import struct
import zlib


def claiming(side: int) -> bytes:
    """A PNG of a few bytes that says it has side × side pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    header = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + header + struct.pack(">I", 99) + b"IDAT"
