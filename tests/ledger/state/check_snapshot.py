#!/usr/bin/env python3
"""Judges a snapshot file by docs/formats/snapshot.md alone: shares no code with the implementation.

Usage: check_snapshot.py FILE. Exits 1 and says what differs.
"""
import hashlib
import struct
import sys

CHUNK = 65536
FOOTER = 98
TAG = b"vigil/snapshot/v1\0"


def sha(data):
    return hashlib.sha256(data).digest()


def tree_root(leaves):
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha(b"\1" + tree_root(leaves[:split]) + tree_root(leaves[split:]))


def read_manifest(data):
    footer = data[-FOOTER:]
    assert footer[:18] == TAG, "the footer has no tag"
    chain_id = footer[18:50]
    height, size = struct.unpack(">QQ", footer[50:66])
    chunks = [data[at:min(at + CHUNK, size)] for at in range(0, size, CHUNK)]
    hashes = [sha(b"\0" + chunk) for chunk in chunks]
    assert data[size:-FOOTER] == b"".join(hashes), "chunk hashes"
    assert footer[66:] == tree_root(hashes), "digest"
    return chain_id, height, data[:size]


def read_head(stream, chain_id, height):
    assert stream[:2] == b"\0\1", "format"
    assert stream[2:34] == chain_id, "chain id"
    (size,) = struct.unpack_from(">I", stream, 66)
    tip = stream[70:70 + size]
    at_height, _, block_hash = struct.unpack_from(">QQ32s", tip)
    assert at_height == height, "height of the tip"
    edge_at = 8 + 8 + 32 + 8 + 8 + 32 + 32 + 3 * 8
    (edge_size,) = struct.unpack_from(">I", tip, edge_at)
    (leaves,) = struct.unpack_from(">Q", tip, edge_at + 4)
    assert edge_size == 8 + 32 * bin(leaves).count("1"), "tree edge"
    assert len(tip) == edge_at + 4 + edge_size, "size of the tip"
    return block_hash, 70 + size


def read_entries(stream, at):
    while at < len(stream):
        (size,) = struct.unpack_from(">I", stream, at)
        key = stream[at + 4:at + 4 + size]
        at += 4 + size
        (size,) = struct.unpack_from(">I", stream, at)
        yield key, stream[at + 4:at + 4 + size]
        at += 4 + size
    assert at == len(stream), "bytes left over"


def check(data):
    chain_id, height, stream = read_manifest(data)
    block_hash, at = read_head(stream, chain_id, height)
    entries = list(read_entries(stream, at))
    keys = [key for key, _ in entries]
    assert keys == sorted(set(keys)), "order of the keys"
    assert {key[:1] for key in keys} <= {b"b", b"l", b"r", b"s", b"u"}, "key spaces"
    heights = {space: [struct.unpack(">Q", key[1:])[0] for key in keys if key[:1] == space]
               for space in (b"b", b"r", b"u")}
    every = list(range(1, height + 1))
    assert heights[b"b"] == every and heights[b"r"] == every, "blocks and results"
    assert heights[b"u"] == every[-64:], "undo images"
    for key, value in entries:
        if key[:1] != b"b":
            continue
        assert value[:8] == key[1:], "height of a block"
        assert value[48:56] == bytes(8) and value[72:76] == bytes(4), "place of a block"
    assert dict(entries)[b"b" + struct.pack(">Q", height)][16:48] == block_hash, "last block"


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        DATA = file.read()
    try:
        check(DATA)
    except (AssertionError, struct.error) as error:
        sys.exit(f"{sys.argv[1]}: {error}")
