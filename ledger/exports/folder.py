"""Writes a model and what is known of it into a folder, and signs the folder as OpenSSF Model Signing does."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.metadata import version as get_version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ledger import dsse, spec
from ledger.errors import ConfigurationError, MissingExtra, Unavailable, UsageError
from ledger.exports import cyclonedx, model_card, prov, slsa
from ledger.exports.story import Story
from ledger.layout import Layout
from ledger.passwords import find_password
from ledger.spec.errors import WrongShape

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNATURE = "model.sig"
"""Name of the signature that `model_signing verify key` reads."""


def render(story: Story, *, attester: Ed25519PrivateKey | None = None) -> dict[str, bytes]:
    """Return the files of an export by name, the same for the same story.

    Args: attester: signs the provenance, each round's statement in an envelope of its own; None leaves it unsigned.
    Raises: Unavailable: the model's bytes are not there.
    """
    if story.model is None:
        consequence = "; the model cannot be exported"
        raise Unavailable(cid=story.model_cid or "(none)", found=0, stores=1, seconds=0.0, consequence=consequence)
    version = get_version("fedtrail")
    statements = [slsa.encode(statement) for statement in slsa.iter_statements(story, version=version)]
    if attester is not None:
        statements = [dsse.dump(dsse.sign(slsa.PAYLOAD_TYPE, each, attester)).rstrip() for each in statements]
    return {
        "README.md": model_card.render(story).encode(),
        "bom.cdx.json": _to_json(cyclonedx.render(story, version=version)),
        "model.safetensors": encode_safetensors(story),
        "model.vector": bytes(story.model or b""),
        "prov.jsonld": _to_json(prov.render(story)),
        "provenance.intoto.jsonl" if attester else "provenance.jsonl": b"".join(each + b"\n" for each in statements),
    }


def encode_safetensors(story: Story) -> bytes:
    """Return the model's tensors as float32, named by the task's layout; without one, a single tensor `vector`.

    float32 holds 24 bits: `model.vector` is the exact model, whose root is on the chain.
    """
    from safetensors.numpy import save

    blob = spec.decode_vector(story.model or b"", max_bytes=len(story.model or b""))
    values = np.frombuffer(blob.payload, dtype="<i4") / np.float64(1 << story.task.scale_bits)
    layout = story.steps[-1].record.layout or Layout(names=("vector",), shapes=((story.task.size,),))
    if layout.size != story.task.size:
        raise WrongShape(field="the layout's number of coordinates", got=layout.size, want=story.task.size)
    tensors, start = {}, 0
    for name, shape, size in zip(layout.names, layout.shapes, layout.sizes, strict=True):
        tensors[name] = values[start : start + size].astype(np.float32).reshape(shape)
        start += size
    # One entry: safetensors writes several in any order, and one model must give one file.
    about = {"ledger": f"eip155:{story.chain_id}:0x{story.ledger.hex()}", "model_root": "0x" + story.model_root.hex()}
    return save(tensors, {"fedtrail": json.dumps(about)})


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder that is new or empty; one after the other, each whole or not at all.

    Raises: UsageError: the folder holds something else.
    """
    if folder.exists() and any(each.name not in files for each in folder.iterdir()):
        raise UsageError(f"{folder} holds other files", hint="name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        partial = folder / f".{name}.partial"
        partial.write_bytes(data)
        os.replace(partial, folder / name)


def sign_folder(folder: Path, key: Path) -> None:
    """Sign every file of a folder with an elliptic-curve key in PEM (P-256, P-384 or P-521), into SIGNATURE.

    Raises: MissingExtra: model-signing is not installed; ConfigurationError: the key cannot be used.
    """
    try:
        from model_signing import hashing, signing
    except ImportError:
        raise MissingExtra(feature="signing a model", package="model-signing", extra="signing") from None
    target = folder / SIGNATURE
    try:
        config = signing.Config().use_elliptic_key_signer(private_key=key, password=find_password(key.name))
        config.set_hashing_config(hashing.Config().set_ignored_paths(paths=[target], ignore_git_paths=False))
        config.sign(folder, target)
    except (ValueError, TypeError, OSError) as problem:
        raise ConfigurationError(f"the key {key} cannot sign a model: {problem}") from None


def _to_json(value: object) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"
