"""`fedtrail bundle` and `fedtrail verify`, as people use them."""

import base64
import json
from pathlib import Path

import pytest
from bundles import Bundles, read_manifest, rewrite, write_trust
from command_line import Answer, run_process

from ledger import spec
from ledger.bundle.sealing import make_signing_key
from ledger.dsse import encode_pae

pytestmark = pytest.mark.chain


@pytest.fixture
def fedtrail(bundles: Bundles, tmp_path: Path):  # type: ignore[no-untyped-def]
    def run(*arguments: object, **environment: str) -> Answer:
        named = {"FEDTRAIL_PROJECT": str(bundles.run.project.root), "FEDTRAIL_KEY_PASSWORD": "secret"}
        return run_process(*arguments, cwd=tmp_path, **{**named, **environment})

    return run


@pytest.fixture
def trust(bundles: Bundles, tmp_path: Path) -> Path:
    return write_trust(tmp_path / "trust.toml", bundles.trust)


def test_an_auditor_gets_a_sealed_bundle_opens_it_and_verifies_it(fedtrail, trust: Path, tmp_path: Path) -> None:
    made = fedtrail("bundle", "key", "auditor.pem", "--format", "json")
    public = made.json["data"]["public_key"]
    assert b"ENCRYPTED" in (tmp_path / "auditor.pem").read_bytes()
    created = fedtrail(
        *("bundle", "create", "-o", "run.ftb.zip", "--run", "audited", "--level", "auditor", "--recipient", public)
    )
    assert (created.status, created.err) == (0, "")
    assert "level        auditor\n" in created.out
    sealed = fedtrail("verify", "run.ftb.zip", "--trust", trust)
    assert (sealed.status, sealed.out.splitlines()[-1].split()[0]) == (8, "INCOMPLETE")
    assert "not replayed: rounds 1, 2, 4" in sealed.out
    opened = fedtrail("verify", "run.ftb.zip", "--trust", trust, "--key", "auditor.pem")
    assert (opened.status, opened.out.splitlines()[-1].split()[0]) == (0, "VERIFIED")
    extracted = fedtrail("bundle", "extract", "run.ftb.zip", "--key", "auditor.pem", "-o", "open.ftb.zip")
    assert extracted.status == 0
    assert fedtrail("verify", "open.ftb.zip", "--trust", trust).status == 0


def test_an_opened_bundle_is_the_one_that_was_never_sealed(bundles: Bundles, fedtrail, tmp_path: Path) -> None:
    assert fedtrail("bundle", "extract", bundles.sealed, "--key", bundles.key_file, "-o", "open.ftb.zip").status == 0
    assert (tmp_path / "open.ftb.zip").read_bytes() == bundles.auditor.read_bytes()


def test_a_key_that_a_bundle_is_not_sealed_to_is_named_at_once(bundles: Bundles, fedtrail) -> None:
    fedtrail("bundle", "key", "other.pem", "--no-password")
    for command in (("verify", bundles.sealed), ("bundle", "extract", bundles.sealed, "-o", "open.ftb.zip")):
        answer = fedtrail(*command, "--key", "other.pem")
        assert answer.status == 3
        assert "the bundle is sealed to" in answer.err
    assert fedtrail("verify", bundles.sealed, "--key", "nothing.pem").status == 3


def test_verify_prints_a_line_a_check_and_what_to_do_about_a_finding(
    bundles: Bundles, fedtrail, tmp_path: Path
) -> None:
    path = rewrite_update(bundles, tmp_path / "tampered.ftb.zip")
    answer = fedtrail("verify", path)
    lines = answer.out.splitlines()
    assert answer.status == 7
    assert lines[0].split() == ["[ok]", "manifest", str(len(read_manifest(path).files)), "files"]
    assert [line.split()[1] for line in lines if line.startswith(" [FAIL]")] == ["blobs", "commitments"]
    (line,) = [number for number, line in enumerate(lines) if line.startswith("FT701")]
    assert "round 1, client" in lines[line]
    assert lines[line + 1].startswith("  hint: ask its author")
    assert lines[-1] == "FAILED"


def test_json_is_the_report_and_nothing_else(bundles: Bundles, fedtrail, trust: Path) -> None:
    report = fedtrail("verify", bundles.auditor, "--trust", trust, "--format", "json").json
    assert set(report) == {"verdict", "exit", "checks", "findings", "rounds", "level", "anchor"}
    assert (report["verdict"], report["exit"], report["level"]) == ("VERIFIED", 0, "auditor")
    assert report["rounds"][2] == {"round_id": "3", "verdict": "voided", "grade": "ATTESTED"}
    unanchored = fedtrail("verify", bundles.auditor, "--format", "json")
    assert (unanchored.status, unanchored.json["exit"]) == (8, 8)
    (finding,) = unanchored.json["findings"]
    assert (finding["code"], finding["round"], finding["client"]) == ("FT802", None, None)
    assert fedtrail("verify", bundles.auditor, "--format", "csv").out.splitlines()[0] == "name,ok,detail"


def test_what_passed_becomes_a_signed_statement_that_names_the_bundle(
    bundles: Bundles, fedtrail, trust: Path, tmp_path: Path
) -> None:
    public = make_signing_key(tmp_path / "auditor-signs.pem", None)
    flags = ("--attest", "result.json", "--sign-with", "auditor-signs.pem")
    assert fedtrail("verify", bundles.auditor, "--trust", trust, *flags).status == 0
    envelope = json.loads((tmp_path / "result.json").read_text())
    payload = base64.b64decode(envelope["payload"])
    statement = json.loads(payload)
    assert statement["predicateType"] == "https://in-toto.io/attestation/svr/v0.1"
    assert statement["predicate"]["properties"][:2] == ["FEDTRAIL_BUNDLE_VERIFIED", "FEDTRAIL_MANIFEST"]
    assert len(statement["subject"][0]["digest"]["sha256"]) == 64
    verify_ed25519(public, base64.b64decode(envelope["signatures"][0]["sig"]), envelope["payloadType"], payload)
    assert fedtrail("verify", bundles.public, "--attest", "plain.json").status == 8
    properties = json.loads((tmp_path / "plain.json").read_text())["predicate"]["properties"]
    assert "FEDTRAIL_HEADERS" in properties
    assert {"FEDTRAIL_BUNDLE_VERIFIED", "FEDTRAIL_ANCHOR", "FEDTRAIL_REPLAY"}.isdisjoint(properties)


def verify_ed25519(public: bytes, signature: bytes, payload_type: str, payload: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    Ed25519PublicKey.from_public_bytes(public).verify(signature, encode_pae(payload_type, payload))


def test_two_signers_sign_a_bundle_and_the_verdict_stays(
    bundles: Bundles, fedtrail, trust: Path, tmp_path: Path
) -> None:
    path = tmp_path / "signed.ftb.zip"
    path.write_bytes(bundles.auditor.read_bytes())
    keys = [fedtrail("bundle", "key", f"{name}.pem", "--sign", "--format", "json") for name in ("one", "two")]
    for name in ("one", "two", "one"):
        signed = fedtrail("bundle", "sign", path, "--key", f"{name}.pem", "--format", "json")
    names = {row["signed_by"] for row in signed.json["data"]}
    assert names == {key.json["data"]["public_key"] for key in keys}
    report = fedtrail("verify", path, "--trust", trust, "--format", "json").json
    assert report["verdict"] == "VERIFIED"
    assert all(name in report["checks"][0]["detail"] for name in names)
    assert fedtrail("bundle", "sign", path, "--key", bundles.key_file).status == 3


def test_a_forged_signature_is_a_finding(bundles: Bundles, fedtrail, tmp_path: Path) -> None:
    signed, other = tmp_path / "signed.ftb.zip", tmp_path / "other.ftb.zip"
    signed.write_bytes(bundles.auditor.read_bytes())
    fedtrail("bundle", "key", "one.pem", "--sign")
    fedtrail("bundle", "sign", signed, "--key", "one.pem")
    forge_signature(signed, other)
    report = fedtrail("verify", other, "--format", "json").json
    assert (report["exit"], [finding["code"] for finding in report["findings"]]) == (7, ["FT717", "FT802"])


def test_show_counts_what_is_open_sealed_and_withheld(bundles: Bundles, fedtrail) -> None:
    for name, want in (
        ("public", (0, 0, 20)),
        ("partner", (4, 0, 16)),
        ("auditor", (20, 0, 0)),
        ("sealed", (0, 20, 0)),
    ):
        shown = fedtrail("bundle", "show", getattr(bundles, name), "--format", "json").json["data"]
        (updates,) = [row for row in shown["blobs"] if row["kind"] == "update"]
        assert (updates["open"], updates["sealed"], updates["withheld"]) == want
        assert (shown["level"], shown["rounds"]) == ("auditor" if name == "sealed" else name, 4)
    assert "withheld" in fedtrail("bundle", "show", bundles.public).out


def test_diff_names_what_is_in_one_bundle_only(bundles: Bundles, fedtrail) -> None:
    rows = fedtrail("bundle", "diff", bundles.public, bundles.partner, "--format", "json").json["data"]
    found = {row["what"]: (row["a"], row["b"]) for row in rows}
    assert found["level"] == ("public", "partner")
    assert all(a == "-" for what, (a, b) in found.items() if what.startswith("blobs/"))
    same = fedtrail("bundle", "diff", bundles.public, bundles.public)
    assert (same.out, same.err) == ("", "no difference\n")


def test_extract_writes_blobs_by_round_and_kind(bundles: Bundles, fedtrail, tmp_path: Path) -> None:
    rows = fedtrail("bundle", "extract", bundles.partner, "-o", "blobs", "--format", "json").json["data"]
    own = tmp_path / "blobs" / "round-1" / f"update-{bundles.client}"
    header = spec.decode_vector(own.read_bytes(), max_bytes=1 << 20).header
    assert (header.client, header.round_id) == (bundles.client, 1)
    assert {row["kind"] for row in rows if row["round_id"] == "1"} == {
        "manifest",
        "base",
        "aggregate",
        "model",
        "update",
    }
    assert fedtrail("bundle", "extract", bundles.partner, "-o", "blobs").status == 2


def test_reports_exports_and_checkpoints_go_along(bundles: Bundles, fedtrail, tmp_path: Path) -> None:
    for name in ("report.html", "prov.jsonld", "witness.note"):
        (tmp_path / name).write_text("text\n\n\u2014 a AAAAAAAA\n")
    flags = ("--include", "report.html", "--include", "prov.jsonld", "--checkpoint", "witness.note")
    assert fedtrail("bundle", "create", "-o", "full.ftb.zip", *flags).status == 0
    extra = set(read_manifest(tmp_path / "full.ftb.zip").files) - set(read_manifest(bundles.public).files)
    assert extra == {"report.html", "exports/prov.jsonld", "checkpoints/witness.note"}
    assert fedtrail("bundle", "create", "--include", "nothing.html").status == 2


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("bundle", "create", "--level", "auditor"), 2),
        (("bundle", "create", "--level", "auditor", "--recipient", "xyz"), 2),
        (("bundle", "create", "--level", "partner"), 2),
        (("bundle", "create", "--run", "nothing"), 5),
        (("verify", "nothing.ftb.zip"), 5),
        (("bundle", "show", "nothing.ftb.zip"), 5),
        (("bundle", "extract", "nothing.ftb.zip", "-o", "x.ftb.zip"), 2),
    ],
)
def test_misuse_is_refused(fedtrail, arguments: tuple[str, ...], status: int) -> None:
    assert fedtrail(*arguments).status == status


def test_a_key_file_is_never_overwritten(fedtrail) -> None:
    assert fedtrail("bundle", "key", "k.pem").status == 0
    assert fedtrail("bundle", "key", "k.pem").status == 3
    assert fedtrail("bundle", "key", "locked.pem", FEDTRAIL_KEY_PASSWORD="").status == 3


def rewrite_update(bundles: Bundles, target: Path) -> Path:
    """Change one byte of an update of round 1, and the manifest of the bundle with it."""
    names = {name: data for name, data in bundles.read_vectors(bundles.auditor) if data[2:3] == b"U"}
    name, data = next((n, d) for n, d in names.items() if spec.decode_vector(d, max_bytes=len(d)).header.round_id == 1)
    return rewrite(bundles.auditor, target, {name: data[:-1] + bytes([data[-1] ^ 1])})


def forge_signature(path: Path, target: Path) -> None:
    from ledger.bundle.container import Container, stage
    from ledger.bundle.format import encode_json

    with Container(path) as container, stage(target) as staging:
        for name in container.entries:
            data = container.read(name, max_bytes=1 << 30)
            if name == "manifest.dsse.json":
                envelope = json.loads(data)
                envelope["signatures"][0]["sig"] = base64.b64encode(bytes(64)).decode()
                data = encode_json(envelope)
            staging.add(name, [data])
        staging.write(target)


def test_verify_takes_the_name_of_a_run_and_replays_it(fedtrail) -> None:
    answer, replayed = (
        fedtrail(*words, "--format", "json") for words in (("verify", "audited"), ("run", "replay", "audited"))
    )
    assert (answer.status, answer.out) == (replayed.status, replayed.out)
    assert '"verdict": "pass"' in answer.out
    assert "no run 'absent'" in fedtrail("verify", "absent").err


def test_verify_takes_a_proof_and_refuses_options_of_bundles(bundles: Bundles, fedtrail, trust: Path) -> None:
    got = fedtrail("proof", "get", "model", "--round", "1", "--run", "audited", "-o", "model.proof")
    assert got.status == 0, got.err
    answer = fedtrail("verify", "model.proof", "--trust", trust)
    assert answer.status == fedtrail("proof", "verify", "model.proof", "--trust", trust).status == 0, answer.err
    refused = fedtrail("verify", "model.proof", "--key", bundles.key_file)
    assert (refused.status, refused.err[:5]) == (2, "FT101")
