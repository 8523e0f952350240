"""A node's keys: made once, kept closed; what is sealed opens for one node, in one context."""

import base64
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OKPKey

from shared.federation.keys import (
    KEY_FILE,
    MAX_CONTEXT_BYTES,
    MAX_SEALED_BYTES,
    KeyUnusable,
    NodeKey,
    PublicKey,
    SealError,
    seal,
    unseal,
)
from tests.federation.conftest import case_name

HOME = NodeKey.generate()
TRANSIT = NodeKey.generate()
CONTEXT = "request:0198c0de:document-number"


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def with_header(token: str, **changes: object) -> str:
    head, *rest = token.split(".")
    header = json.loads(decode(head)) | changes
    kept = {name: value for name, value in header.items() if value is not None}
    return ".".join([encode(json.dumps(kept).encode()), *rest])


class TestPublicKey:
    KEY = PublicKey(signing=bytes(range(32)), agreement=bytes(range(32, 64)))

    def test_is_one_line_of_text_and_back(self) -> None:
        text = self.KEY.to_text()
        assert text == (
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-Pw"
        )
        assert PublicKey.from_text(text) == self.KEY

    def test_has_a_fingerprint_over_both_halves(self) -> None:
        digest = hashlib.sha256(bytes(range(64))).digest()
        letters = base64.b32encode(digest).decode().lower().strip("=")
        groups = self.KEY.fingerprint.split("-")
        assert "".join(groups) == letters
        assert [len(group) for group in groups] == [4] * 13
        assert PublicKey(bytes(32), self.KEY.agreement).fingerprint != self.KEY.fingerprint
        assert PublicKey(self.KEY.signing, bytes(32)).fingerprint != self.KEY.fingerprint

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "no key",
            encode(bytes(63)),
            encode(bytes(65)),
            encode(bytes(64)) + "==",
            encode(bytes(64))[:-1] + "B",  # another spelling of the same bytes
            encode(bytes(64)).replace("A", "+"),
            "ä" * 86,
        ],
    )
    def test_is_read_from_nothing_else(self, text: str) -> None:
        with pytest.raises(KeyUnusable):
            PublicKey.from_text(text)

    def test_has_halves_of_32_bytes(self) -> None:
        with pytest.raises(KeyUnusable, match="not 31 and 32"):
            PublicKey(bytes(31), bytes(32))


class TestNodeKey:
    def test_is_made_at_the_first_start_and_read_at_the_next(self, tmp_path: Path) -> None:
        directory = tmp_path / "data" / "keys"
        made = NodeKey.load_or_create(directory)
        assert NodeKey.load_or_create(directory).public == made.public
        assert [file.name for file in directory.iterdir()] == [KEY_FILE]
        assert (directory / KEY_FILE).stat().st_mode & 0o777 == 0o600

    def test_signs_and_opens_as_the_same_node_after_a_restart(self, tmp_path: Path) -> None:
        before = NodeKey.load_or_create(tmp_path)
        sealed = seal(before.public, b"440300199001011234", context=CONTEXT)
        after = NodeKey.load_or_create(tmp_path)
        assert unseal(after, sealed, context=CONTEXT) == b"440300199001011234"
        before.public.ed25519().verify(after.signing.sign(b"a request"), b"a request")

    def test_is_the_same_for_workers_that_start_at_once(self, tmp_path: Path) -> None:
        workers = 16
        start = Barrier(workers)

        def work(_: int) -> PublicKey:
            start.wait()
            return NodeKey.load_or_create(tmp_path / "keys").public

        with ThreadPoolExecutor(workers) as pool:
            assert len(set(pool.map(work, range(workers)))) == 1
        assert [file.name for file in (tmp_path / "keys").iterdir()] == [KEY_FILE]

    def test_is_refused_when_others_may_read_it(self, tmp_path: Path) -> None:
        NodeKey.load_or_create(tmp_path)
        (tmp_path / KEY_FILE).chmod(0o640)
        with pytest.raises(KeyUnusable, match="mode 0640"):
            NodeKey.load_or_create(tmp_path)

    @pytest.mark.parametrize("content", ["empty", "garbage", "one", "swapped", "three", "cut"])
    def test_is_never_replaced_when_its_file_is_damaged(self, tmp_path: Path, content: str) -> None:
        pem = HOME.to_pem()
        first, second = pem[: len(pem) // 2], pem[len(pem) // 2 :]
        damaged = {
            "empty": b"",
            "garbage": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "one": first,
            "swapped": second + first,
            "three": pem + first,
            "cut": pem[:-30],
        }[content]
        file = tmp_path / KEY_FILE
        file.write_bytes(damaged)
        file.chmod(0o600)
        with pytest.raises(KeyUnusable, match="restore it from the backup"):
            NodeKey.load_or_create(tmp_path)
        assert file.read_bytes() == damaged

    def test_is_not_shown(self) -> None:
        assert repr(HOME) == "NodeKey()"


class TestSealing:
    SEALED = seal(HOME.public, b"440300199001011234", context=CONTEXT)

    @given(plaintext=st.binary(max_size=200), context=st.text(max_size=60))
    def test_opens_for_the_addressee(self, plaintext: bytes, context: str) -> None:
        sealed = seal(HOME.public, plaintext, context=context)
        assert unseal(HOME, sealed, context=context) == plaintext

    def test_takes_the_longest_text_and_context(self) -> None:
        longest, context = bytes(MAX_SEALED_BYTES), "x" * MAX_CONTEXT_BYTES
        sealed = seal(HOME.public, longest, context=context)
        assert unseal(HOME, sealed, context=context) == longest

    def test_refuses_what_is_longer(self) -> None:
        with pytest.raises(SealError, match="too long"):
            seal(HOME.public, bytes(MAX_SEALED_BYTES + 1), context=CONTEXT)
        with pytest.raises(SealError, match="too long"):
            seal(HOME.public, b"", context="深" * (MAX_CONTEXT_BYTES // 3 + 1))

    def test_never_gives_the_same_text_twice(self) -> None:
        again = seal(HOME.public, b"440300199001011234", context=CONTEXT)
        assert set(again.split(".")[2:]).isdisjoint(self.SEALED.split(".")[2:])

    def test_is_what_rfc_7516_says(self) -> None:
        """Opened by hand: ECDH, Concat KDF (RFC 7518 section 4.6.2), AES-256-GCM."""
        head, encrypted_key, iv, ciphertext, tag = self.SEALED.split(".")
        header = json.loads(decode(head))
        assert (header["alg"], header["enc"], encrypted_key) == ("ECDH-ES", "A256GCM", "")
        assert header["kid"] == HOME.public.fingerprint
        ephemeral = X25519PublicKey.from_public_bytes(decode(header["epk"]["x"]))
        party = CONTEXT.encode()
        derivation = (
            (1).to_bytes(4)
            + HOME.agreement.exchange(ephemeral)
            + len(b"A256GCM").to_bytes(4)
            + b"A256GCM"
            + len(party).to_bytes(4)
            + party
            + (0).to_bytes(4)
            + (256).to_bytes(4)
        )
        cipher = AESGCM(hashlib.sha256(derivation).digest())
        opened = cipher.decrypt(decode(iv), decode(ciphertext) + decode(tag), head.encode())
        assert opened == b"440300199001011234"

    def test_does_not_open_for_another_node(self) -> None:
        with pytest.raises(SealError, match="this node's is"):
            unseal(TRANSIT, self.SEALED, context=CONTEXT)
        renamed = with_header(self.SEALED, kid=TRANSIT.public.fingerprint)
        with pytest.raises(SealError, match="altered"):
            unseal(TRANSIT, renamed, context=CONTEXT)

    def test_does_not_open_in_another_context(self) -> None:
        elsewhere = "request:0198beef:document-number"
        with pytest.raises(SealError, match="another context"):
            unseal(HOME, self.SEALED, context=elsewhere)
        moved = with_header(self.SEALED, apu=encode(elsewhere.encode()))
        with pytest.raises(SealError, match="altered"):
            unseal(HOME, moved, context=elsewhere)

    @pytest.mark.parametrize("part", range(5))
    def test_does_not_open_once_altered(self, part: int) -> None:
        parts = self.SEALED.split(".")
        middle = len(parts[part]) // 2
        swapped = "A" if parts[part][middle : middle + 1] != "A" else "B"
        parts[part] = parts[part][:middle] + swapped + parts[part][middle + 1 :]
        with pytest.raises(SealError):
            unseal(HOME, ".".join(parts), context=CONTEXT)

    @pytest.mark.parametrize(
        "changes",
        [
            {"alg": "dir"},
            {"alg": "none"},
            {"alg": ["ECDH-ES"]},
            {"alg": None},
            {"enc": "A128GCM"},
            {"enc": None},
            {"enc": {}},
            {"zip": "DEF"},
            {"crit": ["b64"]},
            {"crit": 1},
            {"epk": None},
            {"epk": "key"},
            {"epk": {}},
            {"epk": {"kty": "OKP", "crv": "X25519"}},
            {"epk": {"kty": "OKP", "crv": "X25519", "x": "AA"}},
            {"epk": {"kty": "OKP", "crv": "X25519", "x": encode(bytes(32))}},
            {"epk": {"kty": "OKP", "crv": "X448", "x": encode(bytes(56))}},
            {"epk": {"kty": "OKP", "crv": "Ed25519", "x": encode(bytes(32))}},
            {"epk": {"kty": "OKP", "crv": [], "x": encode(bytes(32))}},
            {"epk": {"kty": "oct", "k": encode(bytes(32))}},
            {"apv": 1},
        ],
        ids=case_name,
    )
    def test_is_refused_with_a_hostile_header(self, changes: dict[str, object]) -> None:
        with pytest.raises(SealError):
            unseal(HOME, with_header(self.SEALED, **changes), context=CONTEXT)

    @pytest.mark.parametrize("change", [{"zip": "DEF"}, {"enc": "A128GCM"}], ids=case_name)
    def test_is_refused_when_sealed_otherwise(self, change: dict[str, str]) -> None:
        """A compressed text could open into any size."""
        header = json.loads(decode(self.SEALED.split(".")[0])) | change
        del header["epk"]
        anything = jwe.JWERegistry(algorithms=["ECDH-ES", "A256GCM", "A128GCM", "DEF"])
        key = OKPKey.import_key(HOME.public.x25519())
        sealed = jwe.encrypt_compact(header, b"\0" * 99, key, registry=anything)
        with pytest.raises(SealError):
            unseal(HOME, sealed, context=CONTEXT)

    @given(st.one_of(st.text(max_size=80), st.binary(max_size=60).map(encode)))
    def test_refuses_what_is_no_sealed_text(self, text: str) -> None:
        with pytest.raises(SealError):
            unseal(HOME, text, context=CONTEXT)

    def test_refuses_to_seal_for_a_degenerate_key(self) -> None:
        degenerate = PublicKey(signing=HOME.public.signing, agreement=bytes(32))
        with pytest.raises(SealError, match="unsound"):
            seal(degenerate, b"440300199001011234", context=CONTEXT)
