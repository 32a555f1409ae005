"""The files of a bundle (docs/bundle.md §1 to §3, §7): container, manifest, proofs of state, notes, trust file.

Part of verify.py.
"""

import base64
import json
import re
import struct
import tomllib

from verify_blobs import is_rising
from verify_hashes import Bad, is_signed25519, require, sha256

KEYS = (
    *("registry", "ledger", "escrow", "court", "session_court", "krum_court", "unmask_court", "board"),
    *("statements", "reward_pool", "timelock"),
)
LOCAL, CENTRAL, END = struct.Struct("<4s5H3I2H"), struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s4H2IH")
NUMBER, HEX20, HEX32 = r"0|[1-9][0-9]{0,77}", r"0x[0-9a-f]{40}", r"0x[0-9a-f]{64}"
NAMES = re.compile(
    r"README\.txt|verify(_(blobs|chain|cohorts|events|files|hashes|rounds|rules))?\.py"
    r"|facts\.(json|sqlite)|report\.html|manifest(\.dsse)?\.json|chain/(headers\.rlp|receipts\.rlp|state\.json)"
    r"|(blobs|sealed)/b[a-z2-7]{58}|(exports/|checkpoints/(?=.*\.note$))[A-Za-z0-9_-][A-Za-z0-9._-]{0,68}"
)
FOLDER_LIMITS = (("checkpoints/", 1 << 16), ("sealed/", 1 << 30), ("blobs/bafkrei", 1 << 21))
LIMITS = {"manifest.json": 1 << 24, "manifest.dsse.json": 1 << 25, "chain/state.json": 1 << 26}


def read_archive(data):
    """Return {name: (start, size, CRC-32)} of a bundle whose every other byte follows from that (§1).

    Raises: Bad: FT722 it does not follow, FT716 a limit.
    """
    require(len(data) < 1 << 32, "FT716", "more than 2^32 - 1 bytes")
    require(len(data) >= END.size, "FT710", "not a zip archive")
    magic, *_, count, length, start, _ = END.unpack_from(data, len(data) - END.size)
    require(magic == b"PK\5\6", "FT722", "not a zip archive")
    require(count <= 65_534, "FT716", f"{count} entries")
    tail = END.pack(b"PK\5\6", 0, 0, count, count, length, start, 0)
    is_end = data[len(data) - END.size :] == tail and start + length + END.size == len(data)
    require(is_end, "FT722", "the central directory is not where it belongs")
    entries, at, end, before = {}, start, 0, ""
    for _ in range(count):
        require(at + CENTRAL.size <= len(data), "FT722", "the central directory is cut short")
        crc, _, size, name_bytes = CENTRAL.unpack_from(data, at)[7:11]
        name = data[at + CENTRAL.size : at + CENTRAL.size + name_bytes]
        rest = (20, 0, 0, 0, 0x21, crc, size, size, len(name), 0)
        local = LOCAL.pack(b"PK\3\4", *rest) + name
        central = CENTRAL.pack(b"PK\1\2", 0x0314, *rest, 0, 0, 0, 0x81A40000, end) + name
        same = data[at : at + len(central)] == central and data[end : end + len(local)] == local
        text = name.decode("ascii", "replace")
        require(same and text > before and NAMES.fullmatch(text), "FT722", f"entry {text!r} is not as a bundle has it")
        is_blob = text.startswith(("blobs/", "sealed/"))
        require(not is_blob or re.fullmatch(CID, text.partition("/")[2]), "FT722", f"entry {text!r} names no CID")
        limit = LIMITS.get(text, next((size for start, size in FOLDER_LIMITS if text.startswith(start)), 1 << 32))
        require(size <= limit, "FT716", f"{text} has {size} bytes")
        entries[text] = (end + len(local), size, crc)
        at, end, before = at + len(central), end + len(local) + size, text
    require(at == len(data) - END.size and end == start, "FT722", "bytes between entries")
    return entries


def encode_canonical(value):
    """Return canonical JSON (§2)."""
    return (json.dumps(value, sort_keys=True, separators=(",", ":")) + "\n").encode()


def parse_canonical(data):
    """Return the value of canonical JSON (§2). Raises: Bad FT722."""
    depth = 0  # before parsing, which would go as deep as a stranger likes
    for mark in re.finditer(rb"[\[\]{}]", data):
        depth += 1 if mark[0] in b"[{" else -1
        require(depth <= 8, "FT722", "JSON that is nested too deeply")
    try:
        value = json.loads(data)
        again = encode_canonical(value)
    except (ValueError, RecursionError):
        raise Bad("FT722", "not JSON") from None
    require(again == data, "FT722", "JSON that is not canonical")
    return value


def matches(value, form):
    """Whether JSON has a form: a pattern of a text, None, a list of one form, or the forms of an object's keys."""
    if isinstance(form, tuple):
        return any(matches(value, each) for each in form)
    if isinstance(form, list):
        return isinstance(value, list) and all(matches(each, form[0]) for each in value)
    if isinstance(form, dict):
        return isinstance(value, dict) and value.keys() == form.keys() and all(matches(value[k], form[k]) for k in form)
    return value is None if form is None else isinstance(value, str) and re.fullmatch(form, value) is not None


BLOCK = {"hash": HEX32, "number": NUMBER}
CID = "baf(krei|ybei)[a-h][a-z2-7]{50}[aeimquy4]"
KINDS = "layout|script|list|manifest|base|aggregate|model|update"
GAP = {"cid": CID, "code": "FT801|FT708", "kind": KINDS, "round": (NUMBER, None)}
FORM = {
    "format": "fedtrail-bundle-1",
    "level": "public|partner|auditor",
    "partner": (NUMBER, None),
    "recipient": ("[0-9a-f]{64}", None),
    "chain_id": NUMBER,
    "contracts": (dict.fromkeys(KEYS, HEX20), dict.fromkeys(KEYS[:-1], HEX20)),
    "first_block": BLOCK,
    "last_block": BLOCK,
    "min_stake_wei": dict.fromkeys("123", NUMBER),
    "tasks": [NUMBER],
    "gaps": [GAP],
}


def parse_note(text):
    """Return (text, [(name, key id, signature)]) of a signed note (C2SP). Raises: Bad FT722."""
    body, gap, lines = text.rpartition("\n\n")
    found = re.findall(r"— ([^\s+\x00-\x1f\x7f]{1,255}) ([A-Za-z0-9+/]+=*)\n", lines)
    signatures = [(name, base64.b64decode(data)) for name, data in found]
    again = "".join(f"— {name} {base64.b64encode(data).decode()}\n" for name, data in signatures)
    is_plain = not any(character < " " and character != "\n" for character in text)
    is_note = gap and 0 < len(found) <= 64 and again == lines and all(len(data) > 4 for _, data in signatures)
    require(is_note and is_plain, "FT722", "no signed note")
    return body + "\n", [(name, data[:4], data[4:]) for name, data in signatures]


def read_witness_key(text):
    """Return (name, key id, kind, key) of a verifier key NAME+ID+KEY. Raises: ValueError."""
    name, number, encoded = text.split("+", 2)
    data = base64.b64decode(encoded, validate=True)
    if len(data) != 33 or data[0] not in (1, 4) or sha256(name.encode() + b"\n" + data)[:4].hex() != number:
        raise ValueError(f"{text!r} is no verifier key NAME+ID+KEY of kind 1 or 4")
    return name, bytes.fromhex(number), data[0], data[1:]


def is_cosigned(body, kind, key, signature):
    """Whether a signature of a note verifies; one of kind 4 states a time, which it covers."""
    if kind == 4:
        at, signature = int.from_bytes(signature[:8], "big"), signature[8:]
        body = f"cosignature/v1\ntime {at}\n{body}"
    return is_signed25519(key, body.encode(), signature)


def read_manifest(data):
    """Return `manifest.json`. Raises: Bad FT722: it is not as §2 says."""
    m = parse_canonical(data)
    files = m.get("files") if isinstance(m, dict) else None
    line = {"bytes": NUMBER, "sha256": "[0-9a-f]{64}"}
    is_manifest = isinstance(files, dict) and matches(m, FORM | {"files": dict.fromkeys(files, line)})
    require(is_manifest, "FT722", "the manifest is none of fedtrail-bundle-1")
    m["tasks"] = [int(number) for number in m["tasks"]]
    gaps = [(each["round"] is not None, int(each["round"] or 0), each["cid"], each["kind"]) for each in m["gaps"]]
    sound = (m["partner"] is not None) == (m["level"] == "partner") and gaps == sorted(set(gaps))
    sound = sound and (m["recipient"] is None or m["level"] == "auditor") and is_rising(m["tasks"])
    sound = sound and int(m["first_block"]["number"]) <= int(m["last_block"]["number"])
    sound = sound and all(NAMES.fullmatch(name) and not name.startswith("manifest.") for name in files)
    require(sound, "FT722", "the manifest contradicts itself")
    return m


def read_state(data):
    """Return `chain/state.json`. Raises: Bad FT722: it is not as §3 says."""
    state, data_hex = parse_canonical(data), "0x([0-9a-f]{2})*"
    accounts, code = (state.get("accounts"), state.get("code")) if isinstance(state, dict) else (None, None)
    keys = {"accounts", "block", "code"}
    is_state = isinstance(accounts, dict) and isinstance(code, dict) and state.keys() == keys
    require(is_state and matches(state["block"], "0|-?[1-9][0-9]{0,77}"), "FT722", "chain/state.json lacks something")
    for proof in accounts.values():
        storage = proof.get("storage") if isinstance(proof, dict) else None
        slots = {slot: [data_hex] for slot in storage} if isinstance(storage, dict) else {}
        is_proof = matches(proof, {"account": [data_hex], "address": HEX20, "storage": slots})
        require(is_proof and all(re.fullmatch(HEX32, slot) for slot in slots), "FT703", "a malformed proof of state")
    require(matches(code, dict.fromkeys(code, data_hex)), "FT722", "a code in chain/state.json that is not hex")
    return state


def read_trust(data):
    """Return the auditor's trust file (§7). Raises: ValueError: it cannot be read as one."""
    document = tomllib.loads(data.decode())
    ledger, anchor = document.pop("ledger", {}), document.pop("anchor", {})
    witnesses = anchor.pop("witnesses", {})
    is_witnessed = bool(witnesses)
    found = {}
    for name, size in (("contract", 20), ("code_hash", 32)):
        if name in ledger:
            found[name] = bytes.fromhex(ledger.pop(name).removeprefix("0x"))
            if len(found[name]) != size:
                raise ValueError(f"'{name}' has {len(found[name])} bytes, expected {size}")
    if "chain_id" in ledger:
        found["chain_id"] = ledger.pop("chain_id")
    hashes = anchor.pop("block_hash", {})
    found["block_hashes"] = {int(number): bytes.fromhex(text.removeprefix("0x")) for number, text in hashes.items()}
    found["keys"] = [read_witness_key(text) for text in witnesses.pop("keys", [])]
    found["need"] = witnesses.pop("need", 0)
    if document or ledger or anchor or witnesses:
        raise ValueError(f"unknown keys {[*document, *ledger, *anchor, *witnesses]}")
    sound = type(found["need"]) is int and type(found.get("chain_id", 0)) is int
    sound = sound and all(len(digest) == 32 for digest in found["block_hashes"].values())
    if not sound or (is_witnessed and not 1 <= found["need"] <= len(found["keys"])):
        raise ValueError("'need', 'chain_id' or a block hash is out of range")
    if len({key for *_, key in found["keys"]}) != len(found["keys"]):
        raise ValueError("a witness's key is there twice")
    return found
