"""Requests and responses are believed only as they were signed, while they are fresh."""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
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
    HttpRequest,
    HttpResponse,
    KeyUnknown,
    SignatureMissing,
    SignatureRefused,
    Verified,
    claimed_sender,
    sign_request,
    sign_response,
    verify_request,
    verify_response,
)
from tests.federation.conftest import case_name

# Not the present: whoever looks at the machine's clock instead of `now` fails.
NOW = datetime(2031, 5, 6, 7, 8, 9, 654321, tzinfo=UTC)
CITY, PROVINCE, OTHER = NodeKey.generate(), NodeKey.generate(), NodeKey.generate()
Signed = TypeVar("Signed", HttpRequest, HttpResponse)
KEYS = {"440300": [CITY.public], "440000": [PROVINCE.public], "110000": [OTHER.public]}

HEADERS = {
    "Host": "province.example",
    "Content-Type": "application/cloudevents-batch+json",
    "Content-Encoding": "zstd",
    "Guanxi-Receiver": "440000",
}
UNSIGNED = HttpRequest("POST", "/federation/v1/Lanes/rollup", "after=17&wait=20", HEADERS, b"[1]")
REQUEST = sign_request(CITY, "440300", UNSIGNED, now=NOW, nonce="n-1")
ANSWER = HttpResponse(REQUEST, 200, {"Content-Type": "application/json"}, b'{"acknowledged":17}')
RESPONSE = sign_response(PROVINCE, "440000", ANSWER, now=NOW, nonce="n-2")

visible = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60)


def changed(message: Signed, change: Mapping[str, object]) -> Signed:
    """Change parts of a message, or else headers of that name; ``None`` removes one."""
    own: dict[str, Any] = {name: value for name, value in change.items() if name in vars(message)}
    headers = {**message.headers, **{n: v for n, v in change.items() if n not in own}}
    own["headers"] = {name: value for name, value in headers.items() if value is not None}
    return replace(message, **own)


def rewritten(pattern: str, by: str) -> dict[str, str]:
    """Write a part of the request's Signature-Input differently."""
    text, found = re.subn(pattern, by, REQUEST.headers["signature-input"])
    assert found == 1
    return {"signature-input": text}


def accept(message: HttpRequest | HttpResponse, now: datetime = NOW) -> Verified:
    if isinstance(message, HttpRequest):
        return verify_request(KEYS.get, message, now=now)
    return verify_response(KEYS.get, message, now=now)


def refuse(message: HttpRequest | HttpResponse, now: datetime = NOW) -> SignatureRefused:
    with pytest.raises(SignatureRefused) as refused:
        accept(message, now)
    return refused.value


def by_hand(
    covered: Iterable[str] = ("@method", "@path", "@query", "content-digest"),
    lifetime: timedelta = timedelta(minutes=5),
) -> HttpRequest:
    """Sign a request validly, but with another coverage or lifetime than ours."""
    unsigned = HttpRequest("GET", "/x", "", {"content-digest": ContentDigest.create(b"")})
    signer = HTTPMessageSigner(
        signature_algorithm=ED25519, component_resolver_class=signature._Components
    )
    said: dict[str, Any] = {"key_id": "440300", "nonce": "n", "tag": TAG, "label": "hand"}
    prepared = signer.prepare(
        unsigned,
        created=NOW,
        expires=NOW + lifetime,
        covered_component_ids=list(covered),
        use_existing_digest=True,
        **said,
    )
    made = base64.b64encode(CITY.signing.sign(prepared.signature_base)).decode()
    headers = {"signature-input": f"hand={prepared.signature_params}"}
    return changed(unsigned, {**headers, "signature": f"hand=:{made}:"})


class TestRoundTrip:
    def test_tells_who_and_when(self) -> None:
        created = NOW.replace(microsecond=0)
        expires = created + timedelta(minutes=5)
        assert accept(REQUEST) == Verified("440300", "n-1", created, expires)
        assert accept(RESPONSE) == Verified("440000", "n-2", created, expires)

    def test_what_is_signed_is_what_rfc_9421_says(self) -> None:
        headers = REQUEST.headers
        base = f"""\
"@method": POST
"@path": /federation/v1/Lanes/rollup
"@query": ?after=17&wait=20
"content-digest": {ContentDigest.create(UNSIGNED.body)}
"content-type": application/cloudevents-batch+json
"content-encoding": zstd
"guanxi-receiver": 440000
"@signature-params": {headers["signature-input"].removeprefix("guanxi=")}"""
        made = base64.b64decode(headers["signature"].removeprefix("guanxi=:").removesuffix(":"))
        CITY.public.ed25519().verify(made, base.encode())

    @given(body=st.binary(max_size=500), status=st.integers(100, 599))
    def test_with_any_body(self, body: bytes, status: int) -> None:
        request = sign_request(CITY, "440300", replace(UNSIGNED, body=body), now=NOW, nonce="n")
        assert accept(request).sender == "440300"
        answer = HttpResponse(request, status, {"Content-Encoding": "zstd"}, body)
        response = sign_response(PROVINCE, "440000", answer, now=NOW, nonce="m")
        assert accept(response).sender == "440000"

    @given(path=visible, query=visible)
    def test_with_any_path_and_query(self, path: str, query: str) -> None:
        unsigned = replace(UNSIGNED, path="/" + path, query=query)
        request = sign_request(CITY, "440300", unsigned, now=NOW, nonce="n")
        assert accept(request).sender == "440300"
        assert refuse(replace(request, query=query + "&")).reason == "signature-wrong"

    def test_without_body_the_digest_is_that_of_nothing(self) -> None:
        poll = HttpRequest("GET", "/federation/v1/lanes/control", "", {"Accept": "*/*"})
        request = sign_request(CITY, "440300", poll, now=NOW, nonce="n")
        digest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
        assert request.headers["content-digest"] == digest
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
        ("change", "reason"),
        [
            ({"method": "PUT"}, "signature-wrong"),
            ({"path": "/federation/v1/lanes/control"}, "signature-wrong"),
            ({"path": "/federation/v1/Lanes/%72ollup"}, "signature-wrong"),
            ({"path": f"{UNSIGNED.path}?{UNSIGNED.query}", "query": ""}, "signature-wrong"),
            ({"query": "after=18&wait=20"}, "signature-wrong"),
            ({"query": "after=17&wait=20#"}, "signature-wrong"),
            ({"query": ""}, "signature-wrong"),
            ({"body": UNSIGNED.body + b"\n"}, "digest-wrong"),
            ({"body": b""}, "digest-wrong"),
            ({"content-type": "application/json"}, "signature-wrong"),
            ({"Content-Type": "application/json"}, "signature-wrong"),  # a second line
            ({"content-type": None}, "component-missing"),
            ({"content-encoding": "identity"}, "signature-wrong"),
            ({"content-encoding": None}, "component-missing"),
            ({"guanxi-receiver": "110000"}, "signature-wrong"),
            ({"guanxi-receiver": None}, "component-missing"),
            ({"guanxi-epoch": "2"}, "component-uncovered"),
            ({"content-digest": ContentDigest.create(b"other")}, "signature-wrong"),
            ({"content-digest": None}, "component-missing"),
            ({"signature": RESPONSE.headers["signature"]}, "signature-wrong"),
            ({"signature": "guanxi=:AAAA:"}, "signature-wrong"),
            ({"signature": None}, "signature-malformed"),
            ({"signature-input": None}, "signature-missing"),
            (rewritten('"n-1"', '"n-9"'), "signature-wrong"),
            (rewritten('"440300"', '"440000"'), "signature-wrong"),
            (rewritten('"440300"', '"999999"'), "key-unknown"),
            (rewritten(r"(created=\d+)\d", r"\g<1>0"), "signature-wrong"),
            (rewritten(r"(expires=\d+)\d", r"\g<1>0"), "signature-wrong"),
            (rewritten("guanxi-federation", "web-bot"), "signature-missing"),
            (rewritten('"@method" "@path"', '"@path" "@method"'), "signature-wrong"),
        ],
        ids=case_name,
    )
    def test_of_a_request(self, change: dict[str, object], reason: str) -> None:
        assert refuse(changed(REQUEST, change)).reason == reason

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"status_code": 409}, "signature-wrong"),
            ({"body": b'{"acknowledged":18}'}, "digest-wrong"),
            ({"content-type": "text/html"}, "signature-wrong"),
            ({"content-type": None}, "component-missing"),
            ({"content-encoding": "zstd"}, "component-uncovered"),
            ({"guanxi-epoch": "2"}, "component-uncovered"),
            ({"content-digest": ContentDigest.create(b"other")}, "signature-wrong"),
            ({"signature-input": None}, "signature-missing"),
        ],
        ids=case_name,
    )
    def test_of_a_response(self, change: dict[str, object], reason: str) -> None:
        assert refuse(changed(RESPONSE, change)).reason == reason

    def test_an_encoding_added_to_a_request_that_had_none(self) -> None:
        plain = replace(UNSIGNED, headers={"Content-Type": "application/json"})
        request = sign_request(CITY, "440300", plain, now=NOW, nonce="n")
        refused = refuse(changed(request, {"content-encoding": "zstd"}))
        assert refused.reason == "component-uncovered"
        assert "'440300' leaves out \"content-encoding\"" in str(refused)


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
        assert refuse(replace(RESPONSE, request=other)).reason == "signature-wrong"

    @pytest.mark.parametrize("part", ["content-digest", "signature-input", "signature"])
    def test_has_to_cover_the_request(self, part: str) -> None:
        less = RESPONSE.headers["signature-input"].replace(f' "{part}";req', "")
        refused = refuse(changed(RESPONSE, {"signature-input": less}))
        assert refused.reason == "component-uncovered"
        assert f'"{part}";req' in str(refused)

    def test_is_no_request(self) -> None:
        posing = replace(REQUEST, headers=RESPONSE.headers, body=RESPONSE.body)
        assert refuse(posing).reason == "component-uncovered"

    def test_of_a_node_that_was_not_asked_is_refused(self) -> None:
        with pytest.raises(KeyUnknown, match="'440000'"):
            verify_response({"110000": [OTHER.public]}.get, RESPONSE, now=NOW)


class TestTime:
    @pytest.mark.parametrize("seconds", [-30, 0, 299.3])
    def test_is_taken_within_five_minutes(self, seconds: float) -> None:
        assert accept(REQUEST, NOW + timedelta(seconds=seconds)).sender == "440300"

    @pytest.mark.parametrize(
        ("minutes", "kind", "here"), [(10, "stale", "07:18:09Z"), (-10, "future", "06:58:09Z")]
    )
    def test_a_clock_that_is_off_is_told_both(self, minutes: int, kind: str, here: str) -> None:
        refused = refuse(REQUEST, NOW + timedelta(minutes=minutes))
        assert refused.reason == f"timestamp-{kind}"
        assert "signed at 2031-05-06T07:08:09Z" in str(refused)
        assert f"the clock here says 2031-05-06T{here}" in str(refused)

    @pytest.mark.parametrize(("seconds", "kind"), [(-31, "future"), (300, "stale")])
    def test_the_bounds_are_sharp(self, seconds: int, kind: str) -> None:
        assert refuse(REQUEST, NOW + timedelta(seconds=seconds)).reason == f"timestamp-{kind}"

    def test_a_sender_cannot_ask_for_longer(self) -> None:
        request = by_hand(lifetime=timedelta(days=1))
        assert accept(request).expires == NOW.replace(microsecond=0) + timedelta(minutes=5)
        assert refuse(request, NOW + timedelta(minutes=6)).reason == "timestamp-stale"

    def test_a_sender_may_ask_for_shorter(self) -> None:
        request = by_hand(lifetime=timedelta(seconds=10))
        assert accept(request, NOW + timedelta(seconds=9)).sender == "440300"
        assert refuse(request, NOW + timedelta(seconds=11)).reason == "timestamp-stale"

    @pytest.mark.parametrize("created", ["999999999999999", "-999999999999999"])
    def test_a_time_beyond_the_calendar_is_malformed(self, created: str) -> None:
        refused = refuse(changed(REQUEST, rewritten(r"created=\d+", f"created={created}")))
        assert refused.reason == "signature-malformed"


class TestForm:
    @pytest.mark.parametrize("left_out", ["@method", "@path", "@query", "content-digest"])
    def test_a_sender_who_covers_too_little_is_refused(self, left_out: str) -> None:
        covered = {"@method", "@path", "@query", "content-digest"} - {left_out}
        refused = refuse(by_hand(covered))
        assert refused.reason == "component-uncovered"
        assert f'"{left_out}"' in str(refused)

    def test_a_part_of_the_digest_is_not_the_digest(self) -> None:
        partly = ("@method", "@path", "@query", '"content-digest";key="sha-256"')
        assert refuse(by_hand(partly)).reason == "component-uncovered"

    @pytest.mark.parametrize(
        "absent",
        [r";created=\d+", r";expires=\d+", r';keyid="\d+"', r';nonce="[^"]+"', ';alg="ed25519"'],
    )
    def test_every_parameter_is_needed(self, absent: str) -> None:
        assert refuse(changed(REQUEST, rewritten(absent, ""))).reason == "signature-malformed"

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
        assert refuse(changed(REQUEST, rewritten(pattern, by))).reason == "signature-malformed"

    @given(st.text(max_size=80), st.text(max_size=40), st.sampled_from(["", TAG]))
    def test_whatever_comes_is_refused_in_order(self, text: str, made: str, tag: str) -> None:
        rest = 'keyid="440300";alg="ed25519";created=1;expires=2;nonce="n"'
        tagged = f'a=({text});tag="{tag}";{rest}'
        for written in (text, tagged):
            refused = refuse(changed(REQUEST, {"signature-input": written, "signature": made}))
            assert refused.reason.startswith(("signature-", "component-"))

    def test_a_foreign_signature_beside_ours_is_passed_over(self) -> None:
        other = 'proxy=("@method");created=1;keyid="proxy";tag="someone-else"'
        foreign = {"signature-input": other, "signature": "proxy=:AAAA:"}
        both = {name: f"{value}, {REQUEST.headers[name]}" for name, value in foreign.items()}
        assert accept(changed(REQUEST, both)).sender == "440300"

    @pytest.mark.parametrize(("key", "sender"), [(CITY, "440300"), (OTHER, "110000")])
    def test_a_second_signature_is_one_too_many(self, key: NodeKey, sender: str) -> None:
        second = sign_request(key, sender, UNSIGNED, now=NOW, nonce="n-2").headers
        both = {
            name: f"{REQUEST.headers[name]}, {second[name].replace('guanxi=', 'second=', 1)}"
            for name in ("signature-input", "signature")
        }
        assert refuse(changed(REQUEST, both)).reason == "signature-malformed"

    def test_the_claimed_sender_is_known_before_the_key_is(self) -> None:
        assert claimed_sender({"SIGNATURE-INPUT": REQUEST.headers["signature-input"]}) == "440300"
        with pytest.raises(SignatureMissing):
            claimed_sender(UNSIGNED.headers)


class TestStandards:
    """The library against the standards' own examples."""

    def test_rfc_9421_b_2_6(self) -> None:
        secret = base64.b64decode("n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU=")
        private = Ed25519PrivateKey.from_private_bytes(secret)
        name = "test-key-ed25519"
        keys = MappingKeyResolver(
            public_keys={name: private.public_key()}, private_keys={name: private}
        )
        headers = {"Date": "Tue, 20 Apr 2021 02:07:55 GMT", "Content-Type": "application/json"}
        headers["Content-Length"] = "18"
        covered = ("date", "@method", "@path", "@authority", "content-type", "content-length")
        message = SimpleNamespace(method="POST", url="https://example.com/foo", headers=headers)
        HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=keys).sign(
            message,
            key_id=name,
            created=datetime.fromtimestamp(1618884473, UTC),
            include_alg=False,
            label="sig-b26",
            covered_component_ids=covered,
        )
        assert message.headers["Signature"] == (
            "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5"
            "WPpBKRCw==:"
        )
        (verified,) = HTTPMessageVerifier(signature_algorithm=ED25519, key_resolver=keys).verify(
            message, max_age=None
        )
        assert verified.parameters == {"created": 1618884473, "keyid": name}

    def test_rfc_9530_b_1(self) -> None:
        digest = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
        assert ContentDigest.create(b'{"hello": "world"}\n') == digest
