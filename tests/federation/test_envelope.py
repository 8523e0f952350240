"""An envelope says what was said, names its fault when it cannot be read, and cannot be altered."""

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid5

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from shared.federation.envelope import (
    EnvelopeForged,
    EnvelopeMalformed,
    Message,
    answer_id,
    pack,
    sign,
    unpack,
    verify,
)
from shared.federation.keys import NodeKey
from tests.federation.conftest import case_name

CITY, PROVINCE = NodeKey.generate(), NodeKey.generate()

SHORT = Message(
    id=UUID("0198c0de-0000-7000-8000-000000000001"),
    source="440300",
    type="guanxi.statistics.slice.v1",
    time=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    destination="000000",
    partitionkey="statistics:2026-01",
    data={"indicator": "customers", "count": 5174, "rate": 0.25, "note": "深圳市", "gone": None},
)
FULL = replace(
    SHORT,
    subject="440300/2026-01",
    correlationid=UUID("0198c0de-0000-7000-8000-000000000002"),
    causationid=UUID("0198c0de-0000-7000-8000-000000000003"),
    deadline=datetime(2026, 1, 3, tzinfo=UTC),
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
PACKED = pack(FULL, CITY)


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def altered(**changes: object) -> bytes:
    """Return the full envelope with attributes changed; ``...`` removes one."""
    event = json.loads(PACKED.envelope) | changes
    return json.dumps({name: v for name, v in event.items() if v is not ...}).encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
times = st.builds(
    lambda seconds, hours: datetime.fromtimestamp(seconds, timezone(timedelta(hours=hours))),
    st.floats(0, 4e9),
    st.integers(-12, 14),
)
names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=200)


class TestPacking:
    @pytest.mark.parametrize("message", [SHORT, FULL], ids=["short", "full"])
    def test_says_what_was_said(self, message: Message) -> None:
        packed = pack(message, CITY)
        assert unpack(packed.envelope) == message
        verify(packed.envelope, packed.signature, [CITY.public], "440300")

    @given(
        id_=st.uuids(),
        time=times,
        key=names,
        subject=st.none() | names,
        data=st.dictionaries(st.text(max_size=9), json_values, max_size=5),
    )
    def test_says_whatever_was_said(  # one parameter for each attribute that varies
        self, id_: UUID, time: datetime, key: str, subject: str | None, data: dict[str, Any]
    ) -> None:
        message = replace(
            FULL, id=id_, time=time, deadline=time, partitionkey=key, subject=subject, data=data
        )
        packed = pack(message, CITY)
        assert unpack(packed.envelope) == message
        verify(packed.envelope, packed.signature, [CITY.public], "440300")

    def test_is_a_cloudevent(self) -> None:
        event = json.loads(PACKED.envelope)
        assert event == {
            "specversion": "1.0",
            "id": "0198c0de-0000-7000-8000-000000000001",
            "source": "/nodes/440300",
            "type": "guanxi.statistics.slice.v1",
            "time": "2026-01-02T03:04:05.678901Z",
            "subject": "440300/2026-01",
            "destination": "000000",
            "partitionkey": "statistics:2026-01",
            "correlationid": "0198c0de-0000-7000-8000-000000000002",
            "causationid": "0198c0de-0000-7000-8000-000000000003",
            "deadline": "2026-01-03T00:00:00Z",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "datacontenttype": "application/json",
            "data": FULL.data,
        }
        # CloudEvents 1.0 section 3.1.1: lower-case letters and digits, twenty at most
        assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in event)

    def test_leaves_out_what_has_no_value(self) -> None:
        event = json.loads(pack(SHORT, CITY).envelope)
        assert None not in [value for name, value in event.items() if name != "data"]
        assert event.keys().isdisjoint({"subject", "correlationid", "causationid", "deadline"})

    def test_writes_times_in_utc(self) -> None:
        beijing = datetime(2026, 1, 2, 11, 4, 5, tzinfo=timezone(timedelta(hours=8)))
        event = json.loads(pack(replace(SHORT, time=beijing), CITY).envelope)
        assert event["time"] == "2026-01-02T03:04:05Z"

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"source": "44030"}, "/source"),
            ({"source": "/nodes/440300"}, "/source"),
            ({"source": "４４０３００"}, "/source"),
            ({"destination": ""}, "/destination"),
            ({"destination": "440300\n"}, "/destination"),
            ({"type": ""}, "/type"),
            ({"type": "guanxi statistics"}, "/type"),
            ({"partitionkey": ""}, "/partitionkey"),
            ({"partitionkey": "x" * 201}, "/partitionkey"),
            ({"subject": "nul\x00"}, "/subject"),
            ({"subject": "\ud800"}, "/subject"),
            ({"traceparent": "00-0-0-0"}, "/traceparent"),
            ({"time": datetime(2026, 1, 2)}, "/time"),  # noqa: DTZ001 - the fault
            ({"deadline": datetime(2026, 1, 2)}, "/deadline"),  # noqa: DTZ001 - the fault
        ],
        ids=case_name,
    )
    def test_refuses_what_could_not_be_unpacked(self, change: dict[str, Any], pointer: str) -> None:
        with pytest.raises(EnvelopeMalformed) as refused:
            replace(FULL, **change)
        assert refused.value.pointer == pointer

    @pytest.mark.parametrize("data", [{"x": object()}, {"x": 2**70}, {"x": "\ud800"}, {1: "x"}])
    def test_refuses_data_that_is_not_json(self, data: dict[str, Any]) -> None:
        with pytest.raises(EnvelopeMalformed) as refused:
            pack(replace(SHORT, data=data), CITY)
        assert refused.value.pointer == "/data"


class TestUnpacking:
    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"specversion": "0.3"}, "/specversion"),
            ({"specversion": ...}, "/specversion"),
            ({"id": ...}, "/id"),
            ({"id": None}, "/id"),
            ({"id": 7}, "/id"),
            ({"id": "seven"}, "/id"),
            ({"id": "{0198c0de-0000-7000-8000-000000000001}"}, "/id"),
            ({"id": "0198C0DE-0000-7000-8000-000000000001"}, "/id"),
            ({"source": "440300"}, "/source"),
            ({"source": "/nodes/shenzhen"}, "/source"),
            ({"source": ["/nodes/440300"]}, "/source"),
            ({"type": ...}, "/type"),
            ({"time": ...}, "/time"),
            ({"time": "2026-01-02"}, "/time"),
            ({"time": "2026-01-02T03:04:05"}, "/time"),
            ({"time": "2026-W01-5T03:04:05Z"}, "/time"),
            ({"time": "2026-02-30T03:04:05Z"}, "/time"),
            ({"time": "0001-01-01T00:00:00+14:00"}, "/time"),
            ({"time": 1767323045}, "/time"),
            ({"subject": ""}, "/subject"),
            ({"subject": "a\nb"}, "/subject"),
            ({"destination": "44"}, "/destination"),
            ({"partitionkey": ...}, "/partitionkey"),
            ({"correlationid": ""}, "/correlationid"),
            ({"causationid": False}, "/causationid"),
            ({"deadline": "tomorrow"}, "/deadline"),
            ({"traceparent": "ff"}, "/traceparent"),
            ({"datacontenttype": "text/xml"}, "/datacontenttype"),
            ({"data": ...}, "/data"),
            ({"data": [1]}, "/data"),
            ({"data": ..., "data_base64": "e30="}, "/data"),
        ],
        ids=case_name,
    )
    def test_points_at_the_fault(self, change: dict[str, Any], pointer: str) -> None:
        with pytest.raises(EnvelopeMalformed, match=f"its {pointer} has to be") as refused:
            unpack(altered(**change))
        assert refused.value.pointer == pointer

    @pytest.mark.parametrize(
        "envelope", [b"", b"{", b"[]", b"7", b"null", b'"x"', b"\xff", b"[" * 5000, b'{"id":NaN}']
    )
    def test_refuses_what_is_no_event(self, envelope: bytes) -> None:
        with pytest.raises(EnvelopeMalformed):
            unpack(envelope)

    @given(st.dictionaries(st.sampled_from(list(json.loads(PACKED.envelope))), json_values))
    def test_refuses_in_order_or_reads_whatever_comes(self, changes: dict[str, Any]) -> None:
        try:
            message = unpack(altered(**changes))
        except EnvelopeMalformed as refused:
            at_fault = {refused.pointer.removeprefix("/")}
        else:
            at_fault = set()
            assert unpack(pack(message, CITY).envelope) == message
        assert at_fault <= changes.keys()

    def test_takes_null_for_nothing(self) -> None:
        assert unpack(altered(subject=None, deadline=None)).deadline is None

    def test_passes_over_what_a_newer_version_adds(self) -> None:
        assert unpack(altered(priority=1, dataschema="https://example.org/v2")) == FULL

    def test_reads_the_times_of_others(self) -> None:
        moment = unpack(altered(time="2026-01-02T11:04:05.678901234+08:00")).time
        assert (moment, moment.tzinfo) == (FULL.time, UTC)

    def test_does_not_repeat_data_in_its_refusal(self) -> None:
        with pytest.raises(EnvelopeMalformed) as refused:
            unpack(altered(data=["440300199001011234"]))
        assert "4403001990" not in str(refused.value)


class TestSignature:
    def test_is_a_detached_jws_of_the_very_bytes(self) -> None:
        """Checked by hand: RFC 7515 section 5.1 and appendix F."""
        head, payload, made = PACKED.signature.split(".")
        assert payload == ""
        assert json.loads(decode(head)) == {"alg": "Ed25519", "kid": "440300"}
        key = Ed25519PublicKey.from_public_bytes(CITY.public.signing)
        key.verify(decode(made), f"{head}.{encode(PACKED.envelope)}".encode())

    @given(st.data())
    def test_breaks_with_any_bit(self, data: st.DataObject) -> None:
        envelope = bytearray(PACKED.envelope)
        envelope[data.draw(st.integers(0, len(envelope) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        with pytest.raises(EnvelopeForged):
            verify(bytes(envelope), PACKED.signature, [CITY.public], "440300")

    def test_breaks_when_the_same_json_is_written_anew(self) -> None:
        rewritten = json.dumps(json.loads(PACKED.envelope), sort_keys=True).encode()
        assert unpack(rewritten) == FULL
        with pytest.raises(EnvelopeForged):
            verify(rewritten, PACKED.signature, [CITY.public], "440300")

    def test_is_not_another_nodes(self) -> None:
        with pytest.raises(EnvelopeForged, match="440300"):
            verify(PACKED.envelope, PACKED.signature, [PROVINCE.public], "440300")

    def test_is_not_made_in_another_nodes_name(self) -> None:
        as_province = sign(PACKED.envelope, CITY, "440000")
        with pytest.raises(EnvelopeForged, match="it was signed as '440000'"):
            verify(PACKED.envelope, as_province, [CITY.public], "440300")

    def test_covers_large_envelopes(self) -> None:
        packed = pack(replace(SHORT, data={"rows": ["x" * 1000] * 1000}), CITY)
        assert len(packed.envelope) > 1_000_000
        verify(packed.envelope, packed.signature, [CITY.public], "440300")
        with pytest.raises(EnvelopeForged):
            verify(packed.envelope[:-1], packed.signature, [CITY.public], "440300")

    def test_is_not_about_a_payload_of_its_own(self) -> None:
        head, _, made = PACKED.signature.split(".")
        attached = f"{head}.{encode(PACKED.envelope)}.{made}"
        with pytest.raises(EnvelopeForged, match="no detached JWS"):
            verify(altered(destination="110000"), attached, [CITY.public], "440300")

    @pytest.mark.parametrize(
        "header",
        [
            {"alg": "none", "kid": "440300"},
            {"alg": "HS256", "kid": "440300"},
            {"alg": "EdDSA", "kid": "440300"},
            {"alg": ["Ed25519"], "kid": "440300"},
            {"alg": "Ed25519"},
            {"alg": "Ed25519", "kid": 440300},
            {"alg": "Ed25519", "kid": "440300", "crit": ["exp"]},
            {"alg": "Ed25519", "kid": "440300", "crit": 1},
            {"alg": "Ed25519", "kid": "440300", "b64": False},
            {"alg": "Ed25519", "kid": "440300", "unheard": "of"},
            {},
            [],
            "alg",
            1,
        ],
        ids=case_name,
    )
    def test_is_refused_with_a_hostile_header_even_when_signed(self, header: object) -> None:
        head = encode(json.dumps(header).encode())
        made = CITY.signing.sign(f"{head}.{encode(PACKED.envelope)}".encode())
        with pytest.raises(EnvelopeForged):
            verify(PACKED.envelope, f"{head}..{encode(made)}", [CITY.public], "440300")

    @given(st.text(max_size=40), st.text(max_size=40))
    def test_is_not_whatever_comes(self, head: str, made: str) -> None:
        with pytest.raises(EnvelopeForged):
            verify(PACKED.envelope, f"{head}..{made}", [CITY.public], "440300")

    @pytest.mark.parametrize("cut", [0, 1, 40, -1])
    def test_is_whole(self, cut: int) -> None:
        with pytest.raises(EnvelopeForged):
            verify(PACKED.envelope, PACKED.signature[:cut], [CITY.public], "440300")


class TestAnswerId:
    CAUSE = FULL.id

    def test_is_the_same_for_the_same_cause(self) -> None:
        made = answer_id(self.CAUSE, "guanxi.card.reserved.v1")
        assert made == answer_id(self.CAUSE, "guanxi.card.reserved.v1")
        assert made == uuid5(self.CAUSE, "guanxi.card.reserved.v1\x1f")
        assert made.version == 5

    def test_differs_with_cause_type_and_discriminator(self) -> None:
        made = {
            answer_id(cause, kind, discriminator)
            for cause in (self.CAUSE, UUID(int=7))
            for kind in ("guanxi.card.reserved.v1", "guanxi.card.refused.v1")
            for discriminator in ("", "1", "v1")
        }
        assert len(made) == 12
