"""Access tokens: what is taken, what is refused, and that reading one again is cheap."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.jwk import KeySet

from shared.access import Grants, Principal, TokenKeeper
from shared.access.problems import SessionRevoked, TokenExpired, TokenInvalid
from shared.access.tokens import KEY_FILE, REMEMBERED_TOKENS, TokenKeyUnusable
from shared.capability import Role
from shared.kernel.ids import new_id
from shared.kernel.settings import Settings, load_settings

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
LIFETIME = timedelta(minutes=15)
CLERK = frozenset({"customer:read", "customer:write"})
GRANTS = Grants(MappingProxyType({Role.CLERK: CLERK, Role.SUPERVISOR: CLERK | {"staff:manage"}}))


def a_principal(role: Role = Role.CLERK, permissions: frozenset[str] | None = None) -> Principal:
    return Principal(
        id=new_id(),
        username="li.wei",
        role=role,
        unit="440300-01",
        unit_path="000000/440000/440300/440300-01/",
        permissions=GRANTS.held_by(role) if permissions is None else permissions,
        session_id=new_id(),
    )


def a_keeper(issuer: str = "440300", key: Ed25519PrivateKey | None = None) -> TokenKeeper:
    return TokenKeeper(issuer, key or Ed25519PrivateKey.generate(), GRANTS, LIFETIME)


def settings_in(home: Path) -> Settings:
    return load_settings(code="440300", home=home)


@pytest.mark.parametrize("role", [Role.CLERK, Role.SUPERVISOR, Role.OPERATOR])
def test_a_token_gives_back_the_principal_it_was_signed_for(role: Role) -> None:
    keeper, principal = a_keeper(), a_principal(role)
    token = keeper.sign(principal, now=NOW)
    assert keeper.verify(token, now=NOW) == principal
    assert keeper.verify(token, now=NOW + LIFETIME - timedelta(seconds=1)) == principal


def test_a_narrower_principal_stays_narrow_and_never_gains_what_its_role_lacks() -> None:
    keeper = a_keeper()
    narrow = a_principal(permissions=frozenset({"customer:read"}))
    assert keeper.verify(keeper.sign(narrow, now=NOW), now=NOW) == narrow
    greedy = a_principal(permissions=frozenset({"customer:read", "staff:manage"}))
    read = keeper.verify(keeper.sign(greedy, now=NOW), now=NOW)
    assert read.permissions == {"customer:read"}


def test_permissions_are_looked_up_when_a_token_is_read_not_when_it_is_signed() -> None:
    key = Ed25519PrivateKey.generate()
    token = a_keeper(key=key).sign(a_principal(), now=NOW)
    other = Grants(MappingProxyType({Role.CLERK: frozenset({"customer:read"})}))
    read = TokenKeeper("440300", key, other, LIFETIME).verify(token, now=NOW)
    assert read.permissions == {"customer:read"}


def test_an_expired_token_is_refused_also_when_it_was_read_before() -> None:
    keeper = a_keeper()
    token = keeper.sign(a_principal(), now=NOW)
    with pytest.raises(TokenExpired):
        keeper.verify(token, now=NOW + LIFETIME)
    keeper.verify(token, now=NOW)
    with pytest.raises(TokenExpired):
        keeper.verify(token, now=NOW + LIFETIME)


def test_a_token_of_another_key_or_another_node_is_refused() -> None:
    key = Ed25519PrivateKey.generate()
    token = a_keeper("440300", key).sign(a_principal(), now=NOW)
    for stranger in (a_keeper("440300"), a_keeper("440100", key)):
        with pytest.raises(TokenInvalid):
            stranger.verify(token, now=NOW)


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def test_an_altered_token_is_refused() -> None:
    keeper = a_keeper()
    header, claims, signature = keeper.sign(a_principal(), now=NOW).split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    risen = part({**said, "role": "supervisor"})
    unsigned = part({"alg": "none", "typ": "at+jwt"})
    for token in (
        f"{header}.{risen}.{signature}",
        f"{header}.{claims}.{signature[:-4]}AAAA",
        f"{header}.{claims}.",
        f"{header}.{claims}",
        f"{unsigned}.{claims}.",
        f"{part({'alg': 'HS256', 'typ': 'at+jwt'})}.{claims}.{signature}",
        f"{part([])}.{claims}.{signature}",
        "",
        "...",
        "公" * 20,
        "a" * 100_000,
    ):
        with pytest.raises(TokenInvalid):
            keeper.verify(token, now=NOW)


@pytest.mark.parametrize(
    ("typ", "left_out"), [("JWT", None), ("at+jwt", "sid"), ("at+jwt", "exp"), ("at+jwt", "role")]
)
def test_what_the_key_signed_is_no_access_token_unless_it_is_whole(
    typ: str, left_out: str | None
) -> None:
    keeper = a_keeper()
    claims = jwt.decode(
        keeper.sign(a_principal(), now=NOW), keeper._key, algorithms=["Ed25519"]
    ).claims
    claims.pop(left_out or "", None)
    token = jwt.encode({"alg": "Ed25519", "typ": typ}, claims, keeper._key, algorithms=["Ed25519"])
    with pytest.raises(TokenInvalid):
        keeper.verify(token, now=NOW)


def test_a_token_read_before_is_not_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, principal = a_keeper(), a_principal()
    token = keeper.sign(principal, now=NOW)
    keeper.verify(token, now=NOW)

    def decode(_: str) -> None:
        raise AssertionError("the signature was checked a second time")

    monkeypatch.setattr(keeper, "_decode", decode)
    assert keeper.verify(token, now=NOW) == principal


def test_no_more_tokens_are_remembered_than_are_meant_to_be_and_the_used_ones_stay() -> None:
    keeper = a_keeper()
    used = keeper.sign(a_principal(), now=NOW)
    first = keeper.verify(used, now=NOW)
    unused = keeper.sign(a_principal(), now=NOW)
    keeper.verify(unused, now=NOW)
    for number in range(REMEMBERED_TOKENS - 1):
        keeper._remember(str(number), (first, NOW + LIFETIME))
        keeper.verify(used, now=NOW)
    assert len(keeper._read) == REMEMBERED_TOKENS
    assert used in keeper._read
    assert unused not in keeper._read


def test_a_revoked_session_is_refused_at_once_and_others_are_not() -> None:
    keeper, ended, going_on = a_keeper(), a_principal(), a_principal()
    of_ended, of_going_on = keeper.sign(ended, now=NOW), keeper.sign(going_on, now=NOW)
    keeper.verify(of_ended, now=NOW)
    keeper.revoke(ended.session_id, NOW + LIFETIME)
    with pytest.raises(SessionRevoked):
        keeper.verify(of_ended, now=NOW)
    with pytest.raises(SessionRevoked):
        keeper.verify(keeper.sign(ended, now=NOW), now=NOW)
    assert keeper.verify(of_going_on, now=NOW) == going_on


def test_a_revocation_is_remembered_until_every_token_of_it_has_expired_and_then_forgotten() -> (
    None
):
    keeper, ended = a_keeper(), a_principal()
    keeper.revoke(ended.session_id, NOW + LIFETIME)
    keeper.sign(a_principal(), now=NOW + LIFETIME - timedelta(seconds=1))
    assert ended.session_id in keeper._revoked
    keeper.sign(a_principal(), now=NOW + LIFETIME)
    assert ended.session_id not in keeper._revoked


def test_the_session_of_a_token_is_known_also_after_it_expired_and_of_a_foreign_one_never() -> None:
    keeper, principal = a_keeper(), a_principal()
    assert keeper.session_of(keeper.sign(principal, now=NOW)) == principal.session_id
    assert keeper.session_of(a_keeper().sign(principal, now=NOW)) is None
    assert keeper.session_of("no token at all") is None


def test_others_can_check_a_token_with_the_published_key_which_is_public_alone() -> None:
    keeper, principal = a_keeper(), a_principal()
    published = keeper.public_keys()
    assert {key: published["keys"][0][key] for key in ("kty", "crv", "use", "alg")} == {
        "kty": "OKP",
        "crv": "Ed25519",
        "use": "sig",
        "alg": "Ed25519",
    }
    assert "d" not in published["keys"][0]
    token = keeper.sign(principal, now=NOW)
    keys = KeySet.import_key_set(published)  # type: ignore[arg-type]
    decoded = jwt.decode(token, keys, algorithms=["Ed25519"])
    assert decoded.claims == {
        "iss": "440300",
        "sub": str(principal.id),
        "username": "li.wei",
        "role": "clerk",
        "unit": "440300-01",
        "path": "000000/440000/440300/440300-01/",
        "sid": str(principal.session_id),
        "iat": int(NOW.timestamp()),
        "exp": int((NOW + LIFETIME).timestamp()),
    }


def test_every_worker_of_a_node_gets_the_same_key(tmp_path: Path) -> None:
    settings, principal = settings_in(tmp_path), a_principal()
    token = TokenKeeper.load(settings, GRANTS).sign(principal, now=NOW)
    assert TokenKeeper.load(settings, GRANTS).verify(token, now=NOW) == principal
    assert (settings.directory / "keys" / KEY_FILE).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\n"])
def test_an_unusable_key_file_stops_the_start_with_a_sentence(
    tmp_path: Path, content: bytes
) -> None:
    file = settings_in(tmp_path).directory / "keys" / KEY_FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(TokenKeyUnusable, match=KEY_FILE):
        TokenKeeper.load(settings_in(tmp_path), GRANTS)
