"""Requests and responses are believed only as they were signed, while they are fresh."""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from http_message_signatures import (
    ContentDigest,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    MappingKeyResolver,
)
from http_message_signatures.algorithms import ED25519
from hypothesis import given
from hypothesis import strategies as st

from shared.federation import signature
from shared.federation.keys import NodeKey
from shared.federation.signature import (
    TAG,
    ComponentMissing,
    ComponentUncovered,
    DigestWrong,
    HttpRequest,
    HttpResponse,
    KeyUnknown,
    SignatureMalformed,
    SignatureMissing,
    SignatureRefused,
    SignatureWrong,
    TimestampFuture,
    TimestampStale,
    Verified,
    claimed_sender,
    sign_request,
    sign_response,
    verify_request,
    verify_response,
)

# Not the present: whoever looks at the machine's clock instead of `now` fails.
NOW = datetime(2031, 5, 6, 7, 8, 9, 654321, tzinfo=UTC)
CITY, PROVINCE, OTHER = NodeKey.generate(), NodeKey.generate(), NodeKey.generate()
Signed = TypeVar("Signed", HttpRequest, HttpResponse)
KEYS = {"440300": CITY.public, "440000": PROVINCE.public, "110000": OTHER.public}

UNSIGNED = HttpRequest(
    method="POST",
    path="/federation/v1/lanes/rollup",
    query="after=17&wait=20",
    headers={
        "Host": "province.example",
        "Content-Type": "application/cloudevents-batch+json",
        "Content-Encoding": "zstd",
        "Guanxi-Receiver": "440000",
    },
    body=b"(\xb5/\xfd not really zstd",
)
REQUEST = sign_request(CITY, "440300", UNSIGNED, now=NOW, nonce="n-1")
RESPONSE = sign_response(
    PROVINCE,
    "440000",
    HttpResponse(REQUEST, 200, {"Content-Type": "application/json"}, b'{"acknowledged":17}'),
    now=NOW,
    nonce="n-2",
)


def changed(message: Signed, change: Mapping[str, object]) -> Signed:
    """Change parts of a message, or else headers of that name; ``None`` removes one."""
    own = {name: value for name, value in change.items() if name in vars(message)}
    headers = {**message.headers, **{n: v for n, v in change.items() if n not in own}}
    kept = {name: value for name, value in headers.items() if value is not None}
    return replace(message, **{"headers": kept, **own})


def rewritten(pattern: str, by: str) -> dict[str, str]:
    """Write a part of the request's Signature-Input differently."""
    text, found = re.subn(pattern, by, REQUEST.headers["signature-input"])
    assert found == 1
    return {"signature-input": text}


def accept(message: HttpRequest | HttpResponse, now: datetime = NOW) -> Verified:
    if isinstance(message, HttpRequest):
        return verify_request(KEYS.get, message, now=now)
    return verify_response(KEYS.get, message, now=now)


def by_hand(
    covered: Iterable[str] = ("@method", "@path", "@query", "content-digest"),
    lifetime: timedelta = timedelta(minutes=5),
) -> HttpRequest:
    """Sign a request validly, but with another coverage or lifetime than ours."""
    unsigned = HttpRequest("GET", "/x", "", {"content-digest": ContentDigest.create(b"")})
    prepared = HTTPMessageSigner(
        signature_algorithm=ED25519, component_resolver_class=signature._Components
    ).prepare(
        unsigned,
        key_id="440300",
        created=NOW,
        expires=NOW + lifetime,
        nonce="n",
        tag=TAG,
        label="hand",
        covered_component_ids=list(covered),
        use_existing_digest=True,
    )
    made = base64.b64encode(CITY.signing.sign(prepared.signature_base)).decode()
    headers = {
        "signature-input": f"hand={prepared.signature_params}",
        "signature": f"hand=:{made}:",
    }
    return changed(unsigned, headers)


class TestRoundTrip:
    def test_a_request_tells_who_and_when(self) -> None:
        assert accept(REQUEST) == Verified(
            sender="440300",
            nonce="n-1",
            created=NOW.replace(microsecond=0),
            expires=NOW.replace(microsecond=0) + timedelta(minutes=5),
        )

    def test_a_response_tells_who_and_when(self) -> None:
        verified = verify_response(KEYS.get, RESPONSE, now=NOW)
        assert (verified.sender, verified.nonce) == ("440000", "n-2")

    def test_a_request_keeps_what_was_given(self) -> None:
        assert replace(REQUEST, headers=UNSIGNED.headers) == UNSIGNED
        for name, value in UNSIGNED.headers.items():
            assert REQUEST.headers[name.lower()] == value

    @given(body=st.binary(max_size=500), status=st.integers(100, 599))
    def test_with_any_body(self, body: bytes, status: int) -> None:
        request = sign_request(CITY, "440300", replace(UNSIGNED, body=body), now=NOW, nonce="n")
        assert accept(request).sender == "440300"
        answer = HttpResponse(request, status, {"Content-Encoding": "zstd"}, body)
        response = sign_response(PROVINCE, "440000", answer, now=NOW, nonce="m")
        assert verify_response(KEYS.get, response, now=NOW).sender == "440000"

    @given(
        path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60),
        query=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60),
    )
    def test_with_any_path_and_query(self, path: str, query: str) -> None:
        unsigned = replace(UNSIGNED, path="/" + path, query=query)
        request = sign_request(CITY, "440300", unsigned, now=NOW, nonce="n")
        assert accept(request).sender == "440300"
        with pytest.raises(SignatureWrong):
            accept(replace(request, query=query + "&"))

    def test_without_body_the_digest_is_that_of_nothing(self) -> None:
        poll = HttpRequest("GET", "/federation/v1/lanes/control", "", {"Accept": "*/*"})
        request = sign_request(CITY, "440300", poll, now=NOW, nonce="n")
        assert request.headers["content-digest"] == (
            "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
        )
        assert '"content-encoding"' not in request.headers["signature-input"]
        assert accept(request).sender == "440300"

    def test_names_of_headers_count_without_regard_to_case(self) -> None:
        shouted = {name.upper(): value for name, value in REQUEST.headers.items()}
        assert accept(replace(REQUEST, headers=shouted)).sender == "440300"

    def test_headers_that_the_way_adds_do_no_harm(self) -> None:
        assert accept(changed(REQUEST, {"Via": "1.1 proxy"})).sender == "440300"

    def test_a_message_signed_again_has_one_signature(self) -> None:
        again = sign_request(CITY, "440300", REQUEST, now=NOW + timedelta(hours=1), nonce="n-3")
        assert accept(again, NOW + timedelta(hours=1)).nonce == "n-3"


class TestTampering:
    @pytest.mark.parametrize(
        ("change", "refusal"),
        [
            ({"method": "PUT"}, SignatureWrong),
            ({"path": "/federation/v1/lanes/control"}, SignatureWrong),
            ({"path": "/federation/v1/lanes/%72ollup"}, SignatureWrong),
            ({"path": f"{UNSIGNED.path}?{UNSIGNED.query}", "query": ""}, SignatureWrong),
            ({"query": "after=18&wait=20"}, SignatureWrong),
            ({"query": "after=17&wait=20#"}, SignatureWrong),
            ({"query": ""}, SignatureWrong),
            ({"body": UNSIGNED.body + b"\n"}, DigestWrong),
            ({"body": b""}, DigestWrong),
            ({"content-type": "application/json"}, SignatureWrong),
            ({"Content-Type": "application/json"}, SignatureWrong),  # a second line
            ({"content-type": None}, ComponentMissing),
            ({"content-encoding": "identity"}, SignatureWrong),
            ({"content-encoding": None}, ComponentMissing),
            ({"guanxi-receiver": "110000"}, SignatureWrong),
            ({"guanxi-receiver": None}, ComponentMissing),
            ({"guanxi-epoch": "2"}, ComponentUncovered),
            ({"content-digest": ContentDigest.create(b"other")}, SignatureWrong),
            ({"content-digest": None}, ComponentMissing),
            ({"signature": RESPONSE.headers["signature"]}, SignatureWrong),
            ({"signature": "guanxi=:AAAA:"}, SignatureWrong),
            ({"signature": None}, SignatureMalformed),
            ({"signature-input": None}, SignatureMissing),
            (rewritten('"n-1"', '"n-9"'), SignatureWrong),
            (rewritten('"440300"', '"440000"'), SignatureWrong),
            (rewritten('"440300"', '"999999"'), KeyUnknown),
            (rewritten(r"(created=\d+)\d", r"\g<1>0"), SignatureWrong),
            (rewritten(r"(expires=\d+)\d", r"\g<1>0"), SignatureWrong),
            (rewritten("guanxi-federation", "web-bot"), SignatureMissing),
            (rewritten('"@method" "@path"', '"@path" "@method"'), SignatureWrong),
        ],
        ids=str,
    )
    def test_of_a_request(self, change: dict[str, object], refusal: type[SignatureRefused]) -> None:
        with pytest.raises(refusal):
            accept(changed(REQUEST, change))

    @pytest.mark.parametrize(
        ("change", "refusal"),
        [
            ({"status_code": 409}, SignatureWrong),
            ({"body": b'{"acknowledged":18}'}, DigestWrong),
            ({"content-type": "text/html"}, SignatureWrong),
            ({"content-type": None}, ComponentMissing),
            ({"content-encoding": "zstd"}, ComponentUncovered),
            ({"guanxi-epoch": "2"}, ComponentUncovered),
            ({"content-digest": ContentDigest.create(b"other")}, SignatureWrong),
            ({"signature-input": None}, SignatureMissing),
        ],
        ids=str,
    )
    def test_of_a_response(
        self, change: dict[str, object], refusal: type[SignatureRefused]
    ) -> None:
        with pytest.raises(refusal):
            accept(changed(RESPONSE, change))

    def test_an_encoding_added_to_a_request_that_had_none(self) -> None:
        plain = replace(UNSIGNED, headers={"Content-Type": "application/json"})
        request = sign_request(CITY, "440300", plain, now=NOW, nonce="n")
        with pytest.raises(ComponentUncovered, match="'440300' leaves out \"content-encoding\""):
            accept(changed(request, {"content-encoding": "zstd"}))


class TestResponse:
    @pytest.mark.parametrize(
        "other",
        [
            sign_request(CITY, "440300", UNSIGNED, now=NOW, nonce="n-9"),
            sign_request(CITY, "440300", UNSIGNED, now=NOW + timedelta(seconds=1), nonce="n-1"),
            sign_request(CITY, "440300", replace(UNSIGNED, body=b"x"), now=NOW, nonce="n-1"),
            sign_request(OTHER, "110000", UNSIGNED, now=NOW, nonce="n-1"),
        ],
        ids=["nonce", "time", "body", "sender"],
    )
    def test_answers_one_request_only(self, other: HttpRequest) -> None:
        with pytest.raises(SignatureWrong):
            accept(replace(RESPONSE, request=other))

    @pytest.mark.parametrize("part", ["content-digest", "signature-input", "signature"])
    def test_has_to_cover_the_request(self, part: str) -> None:
        less = RESPONSE.headers["signature-input"].replace(f' "{part}";req', "")
        with pytest.raises(ComponentUncovered, match=f'"{part}";req'):
            accept(changed(RESPONSE, {"signature-input": less}))

    def test_is_no_request(self) -> None:
        with pytest.raises(ComponentUncovered):
            accept(replace(REQUEST, headers=RESPONSE.headers, body=RESPONSE.body))

    def test_of_a_node_that_was_not_asked_is_refused(self) -> None:
        with pytest.raises(KeyUnknown, match="'440000'"):
            verify_response({"110000": OTHER.public}.get, RESPONSE, now=NOW)


class TestTime:
    @pytest.mark.parametrize("seconds", [-30, 0, 299.3])
    def test_is_taken_within_five_minutes(self, seconds: float) -> None:
        assert accept(REQUEST, NOW + timedelta(seconds=seconds)).sender == "440300"

    def test_a_clock_ten_minutes_behind_is_told_both_times(self) -> None:
        with pytest.raises(TimestampStale) as refused:
            accept(REQUEST, NOW + timedelta(minutes=10))
        assert "signed at 2031-05-06T07:08:09Z" in str(refused.value)
        assert "the clock here says 2031-05-06T07:18:09Z" in str(refused.value)

    def test_a_clock_ten_minutes_ahead_is_told_both_times(self) -> None:
        with pytest.raises(TimestampFuture) as refused:
            accept(REQUEST, NOW - timedelta(minutes=10))
        assert "signed at 2031-05-06T07:08:09Z" in str(refused.value)
        assert "the clock here says 2031-05-06T06:58:09Z" in str(refused.value)

    @pytest.mark.parametrize(
        ("seconds", "refusal"), [(-31, TimestampFuture), (300, TimestampStale)]
    )
    def test_the_bounds_are_sharp(self, seconds: int, refusal: type[SignatureRefused]) -> None:
        with pytest.raises(refusal):
            accept(REQUEST, NOW + timedelta(seconds=seconds))

    def test_a_sender_cannot_ask_for_longer(self) -> None:
        request = by_hand(lifetime=timedelta(days=1))
        assert accept(request).expires == NOW.replace(microsecond=0) + timedelta(minutes=5)
        with pytest.raises(TimestampStale):
            accept(request, NOW + timedelta(minutes=6))

    def test_a_sender_may_ask_for_shorter(self) -> None:
        request = by_hand(lifetime=timedelta(seconds=10))
        assert accept(request, NOW + timedelta(seconds=9)).sender == "440300"
        with pytest.raises(TimestampStale):
            accept(request, NOW + timedelta(seconds=11))

    @pytest.mark.parametrize("created", ["999999999999999", "-999999999999999"])
    def test_a_time_beyond_the_calendar_is_malformed(self, created: str) -> None:
        with pytest.raises(SignatureMalformed, match="is no time"):
            accept(changed(REQUEST, rewritten(r"created=\d+", f"created={created}")))


class TestForm:
    def test_any_label_will_do(self) -> None:
        assert accept(by_hand()).sender == "440300"

    @pytest.mark.parametrize("left_out", ["@method", "@path", "@query", "content-digest"])
    def test_a_sender_who_covers_too_little_is_refused(self, left_out: str) -> None:
        covered = {"@method", "@path", "@query", "content-digest"} - {left_out}
        with pytest.raises(ComponentUncovered, match=f'"{left_out}"'):
            accept(by_hand(covered))

    def test_a_part_of_the_digest_is_not_the_digest(self) -> None:
        partly = ("@method", "@path", "@query", '"content-digest";key="sha-256"')
        with pytest.raises(ComponentUncovered, match='"content-digest"'):
            accept(by_hand(partly))

    @pytest.mark.parametrize(
        "absent",
        [r";created=\d+", r";expires=\d+", r';keyid="\d+"', r';nonce="[^"]+"', ';alg="ed25519"'],
    )
    def test_every_parameter_is_needed(self, absent: str) -> None:
        with pytest.raises(SignatureMalformed):
            accept(changed(REQUEST, rewritten(absent, "")))

    @pytest.mark.parametrize(
        ("pattern", "by"),
        [
            ('alg="ed25519"', 'alg="hmac-sha256"'),
            ('nonce="n-1"', 'nonce=""'),
            ('nonce="n-1"', "nonce=1"),
            (r"created=(\d+)", r'created="\g<1>"'),
            (r"created=(\d+)", "created=?1"),
            ('keyid="440300"', "keyid=440300"),
            ('"@method" ', '"@method" "@method" '),
            ('"@method" ', '"@method" "@galaxy" '),
            ('"@method" ', '"@method" "@method";req '),
            ('"@method" ', '"@method" 17 token :AAAA: '),
            ('"@method" ', '"@method" "host";bs;key="a" '),
            ("guanxi=", "guanxi=1;tag=2, other="),
            (r"\(.*\)", "1"),
            ("$", "; ?"),
            ("$", "ü"),
        ],
    )
    def test_what_cannot_be_understood_is_refused(self, pattern: str, by: str) -> None:
        with pytest.raises((SignatureMalformed, ComponentUncovered)):
            accept(changed(REQUEST, rewritten(pattern, by)))

    @given(st.text(max_size=80), st.text(max_size=40), st.sampled_from(["", TAG]))
    def test_whatever_comes_is_refused_in_order(self, text: str, made: str, tag: str) -> None:
        tagged = (
            f'a=({text});tag="{tag}";keyid="440300";alg="ed25519";created=1;expires=2;nonce="n"'
        )
        for written in (text, tagged):
            with pytest.raises(SignatureRefused):
                accept(changed(REQUEST, {"signature-input": written, "signature": made}))

    def test_a_foreign_signature_beside_ours_is_passed_over(self) -> None:
        foreign = {
            "signature-input": 'proxy=("@method");created=1;keyid="proxy";tag="someone-else"',
            "signature": "proxy=:AAAA:",
        }
        both = {name: f"{value}, {REQUEST.headers[name]}" for name, value in foreign.items()}
        assert accept(changed(REQUEST, both)).sender == "440300"

    @pytest.mark.parametrize(("key", "sender"), [(CITY, "440300"), (OTHER, "110000")])
    def test_a_second_signature_is_one_too_many(self, key: NodeKey, sender: str) -> None:
        second = sign_request(key, sender, UNSIGNED, now=NOW, nonce="n-2").headers
        both = {
            name: f"{REQUEST.headers[name]}, {second[name].replace('guanxi=', 'second=', 1)}"
            for name in ("signature-input", "signature")
        }
        with pytest.raises(SignatureMalformed):
            accept(changed(REQUEST, both))

    def test_the_claimed_sender_is_known_before_the_key_is(self) -> None:
        assert claimed_sender({"SIGNATURE-INPUT": REQUEST.headers["signature-input"]}) == "440300"
        with pytest.raises(SignatureMissing):
            claimed_sender(UNSIGNED.headers)

    def test_reasons_are_stable(self) -> None:
        assert {kind.reason for kind in SignatureRefused.__subclasses__()} == {
            "signature-missing",
            "signature-malformed",
            "signature-wrong",
            "key-unknown",
            "digest-wrong",
            "component-uncovered",
            "component-missing",
            "timestamp-stale",
            "timestamp-future",
        }


class TestStandards:
    """The library against the standards' own examples."""

    PRIVATE = b"""-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
"""
    PUBLIC = b"""-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----
"""
    COVERED = ("date", "@method", "@path", "@authority", "content-type", "content-length")
    BASE = """\
"date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@authority": example.com
"content-type": application/json
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length")\
;created=1618884473;keyid="test-key-ed25519"\
"""
    SIGNATURE = (
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    )

    class Message:
        method = "POST"
        url = "https://example.com/foo?param=Value&Pet=dog"

        def __init__(self, **added: str) -> None:
            self.headers: Mapping[str, str] = {
                "Date": "Tue, 20 Apr 2021 02:07:55 GMT",
                "Content-Type": "application/json",
                "Content-Length": "18",
                **added,
            }

    def test_rfc_9421_b_2_6_signs(self) -> None:
        signer = HTTPMessageSigner(signature_algorithm=ED25519)
        prepared = signer.prepare(
            self.Message(),
            key_id="test-key-ed25519",
            created=datetime.fromtimestamp(1618884473, UTC),
            include_alg=False,
            covered_component_ids=self.COVERED,
        )
        assert prepared.signature_base.decode() == self.BASE
        private = load_pem_private_key(self.PRIVATE, password=None)
        assert isinstance(private, Ed25519PrivateKey)
        made = private.sign(prepared.signature_base)
        assert base64.b64encode(made).decode() == self.SIGNATURE

    def test_rfc_9421_b_2_6_verifies(self) -> None:
        message = self.Message(
            **{
                "Signature-Input": "sig-b26=" + self.BASE.rpartition(": ")[2],
                "Signature": f"sig-b26=:{self.SIGNATURE}:",
            }
        )
        public: Any = load_pem_public_key(self.PUBLIC)
        keys = MappingKeyResolver(public_keys={"test-key-ed25519": public}, private_keys={})
        verifier = HTTPMessageVerifier(signature_algorithm=ED25519, key_resolver=keys)
        (result,) = verifier.verify(message, max_age=None)
        assert result.parameters["keyid"] == "test-key-ed25519"

    def test_rfc_9530_b_1_digests(self) -> None:
        assert ContentDigest.create(b'{"hello": "world"}\n') == (
            "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
        )
