#!/usr/bin/env python3
"""Judges the golden files by docs/formats.md alone: shares no code with the implementation.

Usage: check_golden.py <directory of golden files>. Exits 1 and says what differs.
Ed25519 verification follows RFC 8032 section 5.1.7, with the plain formulas of its section 6.
"""
import base64
import hashlib
import json
import pathlib
import struct
import sys

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def decompress(raw):
    y = int.from_bytes(raw, "little")
    sign = y >> 255
    y &= 2**255 - 1
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = decompress(BASE_Y.to_bytes(32, "little"))


def signature_is_valid(key, message, signature):
    a, r = decompress(key), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = multiply(s, BASE), add(r, multiply(k, a))
    return ((left[0] * right[2] - right[0] * left[2]) % P == 0
            and (left[1] * right[2] - right[1] * left[2]) % P == 0)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def tagged(name, *parts):
    return sha256(name.encode() + b"\0", *parts)


def leaf_hash(leaf):
    return sha256(b"\0", leaf)


def tree_root(leaves):
    """RFC 6962 section 2.1, over leaf hashes."""
    if not leaves:
        return sha256()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    return sha256(b"\1", tree_root(leaves[:split]), tree_root(leaves[split:]))


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            assert byte or shift == 7, "varint is not minimal"
            assert value < 2**64
            return value, at


def fields(message):
    """Tag and value of each field of a canonical message, without its table."""
    at, last, out = 0, 0, []
    while at < len(message):
        key, at = varint(message, at)
        tag, wire = key >> 3, key & 7
        assert tag >= last, f"field {tag} after {last}"
        last = tag
        if wire == 0:
            value, at = varint(message, at)
        elif wire == 1:
            value, at = struct.unpack_from("<Q", message, at)[0], at + 8
        else:
            assert wire == 2, f"wire type {wire}"
            size, at = varint(message, at)
            assert at + size <= len(message)
            value, at = message[at:at + size], at + size
        assert value or tag == 2, "default value"
        out.append((tag, value))
    return out


class Golden:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        lines = (self.directory / "hashes.txt").read_text().splitlines()
        self.hashes = {name: bytes.fromhex(value) for name, value in map(str.split, lines)}
        self.file = (self.directory / "genesis.json").read_bytes()
        self.genesis = json.loads(self.file)
        self.chain_id = tagged("vigil/chain-id/v1", tagged("vigil/genesis/v1", self.file))
        owners = {}
        for validator in self.genesis["validators"]:
            owners[f"{validator['org']}/{validator['name']}"] = validator["record_key"]
        for identity in self.genesis["identities"]:
            owners[f"{identity['org']}/{identity['name']}"] = identity["key"]
        self.keys = {}
        for owner, key in owners.items():
            raw = base64.b64decode(key)
            self.keys[tagged("vigil/key/v1", raw)[:16]] = (owner, raw)

    def read(self, name):
        return bytes.fromhex((self.directory / name).read_text().replace("\n", ""))

    def expect(self, name, value):
        assert self.hashes[name] == value, f"{name}: {value.hex()}"


def validator_set_hash(validators):
    out = struct.pack(">I", len(validators))
    for v in validators:
        identity = f"{v['org']}/{v['name']}".encode()
        out += struct.pack(">I", len(identity)) + identity
        for key in ("consensus_key", "log_key", "cosigner_key", "record_key", "reveal_anchor"):
            out += base64.b64decode(v[key])
        out += struct.pack(">Q", int(v["reveal_length"])) + base64.b64decode(v["journal_id"])
    return tagged("vigil/validator-set/v1", out)


def check_genesis(golden):
    golden.expect("genesis_hash", tagged("vigil/genesis/v1", golden.file))
    golden.expect("chain_id", golden.chain_id)
    golden.expect("validator_set_hash", validator_set_hash(golden.genesis["validators"]))
    sensor = [i for i in golden.genesis["identities"] if i["name"] == "fw-1"][0]
    key_id = tagged("vigil/key/v1", base64.b64decode(sensor["key"]))[:16]
    golden.expect("sensor_key_id", key_id)


def check_record(golden, leaf, kind, owner):
    assert leaf[0] == 1 and leaf[1] == kind, f"begins with {leaf[:2].hex()}"
    size = struct.unpack_from(">I", leaf, 2)[0]
    assert len(leaf) == 6 + size + 64
    body, signature = leaf[6:6 + size], leaf[6 + size:]
    author = fields(body)[0]
    assert author[0] == 1 and golden.keys[author[1]][0] == owner
    message = b"vigil/record/v1\0" + bytes([kind]) + golden.chain_id + body
    assert signature_is_valid(golden.keys[author[1]][1], message, signature), "signature"
    assert not signature_is_valid(golden.keys[author[1]][1], message + b"x", signature)
    return dict(fields(body))


def check_records(golden):
    sensor, admin, validator = "acme/fw-1", "acme/root", "acme/v0"
    for name, kind, owner in (("event_batch", 1, sensor), ("heartbeat", 2, sensor),
                              ("gap", 3, sensor), ("stream_reset", 4, admin),
                              ("alert", 5, validator), ("attestation", 6, validator),
                              ("triage", 7, validator), ("model_commitment", 8, validator)):
        check_record(golden, golden.read(f"record_{name}.hex"), kind, owner)


def split_payload(payload):
    count = struct.unpack_from(">I", payload)[0]
    sizes = struct.unpack_from(f">{count}I", payload, 4)
    at, events = 4 + 4 * count, []
    for size in sizes:
        events.append(payload[at:at + size])
        at += size
    assert at == len(payload)
    return events


def check_payload(golden):
    connection = golden.read("event_connection.hex")
    events = split_payload(golden.read("payload.hex"))
    assert events == [connection, golden.read("event_full.hex"), golden.read("event_smallest.hex")]
    for event in events:
        assert dict(fields(event))[1] == 1 and len(dict(fields(event))[2]) == 16
    assert [tag for tag, _ in fields(events[1])] == sorted(
        list(range(1, 38)) + [22, 23, 24, 25, 37])
    golden.expect("event_leaf", leaf_hash(connection))
    golden.expect("items_root", tree_root([leaf_hash(event) for event in events]))


HEADER = struct.Struct(">H32sQQQ32sQ32sQ32s32sQ32s32s32s32sQI")


def check_header(golden):
    raw = golden.read("header.hex")
    assert len(raw) == HEADER.size == 350
    assert HEADER.unpack(raw) == (
        1, golden.chain_id, 1, 0x0102030405060708, 0x1112131415161718, b"\x21" * 32,
        0x0101010101010101, b"\x22" * 32, 0x1112131415161710, b"\x23" * 32, b"\x24" * 32,
        0x1112131415161000, b"\x25" * 32, validator_set_hash(golden.genesis["validators"]),
        b"\x26" * 32, b"\x27" * 32, 0x18BCFE56800, 2)
    golden.expect("header_hash", tagged("vigil/header/v1", raw))
    golden.expect("reveal_parent", tagged("vigil/reveal/v1", b"\x27" * 32))
    seal = struct.pack(">BBI", 1, 25, 394) + raw + b"\x31" * 32
    seal += struct.pack(">QI", 0x4142434445464748, 0x51525354)
    assert golden.read("seal.hex") == seal


def check_block(golden):
    frame = golden.read("block.hex")
    assert frame[:2] == b"\0\1"
    raw, signature = frame[2:352], frame[352:416]
    header = HEADER.unpack(raw)
    block_hash = tagged("vigil/header/v1", raw)
    golden.expect("block_hash", block_hash)
    proposer = base64.b64decode(golden.genesis["validators"][header[17]]["consensus_key"])
    assert signature_is_valid(proposer, b"vigil/proposal/v1\0" + block_hash, signature)
    assert header[1] == golden.chain_id and header[4] == 1 and header[8] == 0
    assert header[5] == golden.hashes["genesis_hash"] and header[6] == 0
    count = struct.unpack_from(">I", frame, 416)[0]
    assert count == 2
    sizes = struct.unpack_from(f">{2 * count}I", frame, 420)
    at, leaves, payloads = 420 + 8 * count, [], []
    for size in sizes[0::2]:
        leaves.append(frame[at:at + size])
        at += size
    for size in sizes[1::2]:
        payloads.append(frame[at:at + size])
        at += size
    assert at == len(frame)
    assert header[7] == tree_root([leaf_hash(leaf) for leaf in leaves])
    golden.expect("body_root", header[7])
    check_record(golden, leaves[1], 2, "acme/fw-1")
    assert payloads[1] == b""
    batch = check_record(golden, leaves[0], 1, "acme/fw-1")
    events = split_payload(payloads[0])
    times = [dict(fields(event))[3] for event in events]
    assert batch[5] == len(events) and batch[10] == len(payloads[0])
    assert batch[6] == tree_root([leaf_hash(event) for event in events])
    assert batch[8] == min(times) and batch[9] == max(times)


def main():
    golden = Golden(sys.argv[1])
    failed = False
    for check in (check_genesis, check_records, check_payload, check_header, check_block):
        try:
            check(golden)
        except AssertionError as error:
            print(f"{check.__name__}: {error}", file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
