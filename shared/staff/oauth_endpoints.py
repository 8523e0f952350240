"""The token endpoint and its neighbours over HTTP."""

import base64
import binascii
from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import unquote_plus

import orjson
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import SecretStr

from shared.access import NodeGrants, Tokens
from shared.kernel.edge import NodeDatabase, NodeSettings, Now
from shared.kernel.language import Language
from shared.kernel.problems import language_of
from shared.staff.problems import (
    ClientWrong,
    GrantTypeUnsupported,
    SignInRefused,
    TokenRequestInvalid,
)
from shared.staff.schemas import KeySet, RevocationForm, TokenError, TokenForm, TokenOut
from shared.staff.sign_in import Issued, SignIn

NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_JWKS_SECONDS = 300


class OAuthRoute(APIRoute):
    """A route whose refusals have the form of RFC 6749, 5.2, beside that of problem details."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with refusals turned into answers."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except SignInRefused as refused:
                return oauth_error(refused, language_of(request))
            except RequestValidationError as invalid:
                where = str(invalid.errors()[0]["loc"][-1])
                return oauth_error(TokenRequestInvalid(where), language_of(request))

        return answer


def oauth_error(refused: SignInRefused, language: Language) -> Response:
    """Render a refusal; ``error_description`` is English, for RFC 6749 allows it nothing but ASCII."""
    described = refused.speak(Language.ENGLISH).encode("ascii", "replace").decode()
    body = {
        "error": refused.error,
        "error_description": described.replace('"', "'").replace("\\", "/"),
        **refused.as_details(language),
    }
    headers = {**NOT_STORED, "Content-Language": language.value, **refused.headers}
    return Response(orjson.dumps(body), refused.status, headers, media_type="application/json")


router = APIRouter(prefix="/oauth", route_class=OAuthRoute)


def sign_in_of(
    request: Request,
    *,
    database: NodeDatabase,
    tokens: Tokens,
    grants: NodeGrants,
    settings: NodeSettings,
    now: Now,
) -> SignIn:
    """Return the sign-in service for this request."""
    address = request.client.host if request.client else None
    return SignIn(database, tokens, grants, settings, now, address)


SigningIn = Annotated[SignIn, Depends(sign_in_of)]
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": TokenError, "description": "Refused, with an error code of RFC 6749."},
    401: {"model": TokenError, "description": "Unknown service account or wrong secret."},
    429: {"model": TokenError, "description": "Delayed after wrong passwords; see Retry-After."},
}


@router.post("/token", summary="Sign in, or stay signed in", responses=_REFUSALS)
async def token(
    form: Annotated[TokenForm, Form()], request: Request, sign_in: SigningIn, response: Response
) -> TokenOut:
    """Give tokens for a password, for a service account's secret, or for a refresh token, which works once."""
    response.headers.update(NOT_STORED)
    return _token_out(await _granted(form, request, sign_in))


async def _granted(form: TokenForm, request: Request, sign_in: SignIn) -> Issued:
    match form.grant_type:
        case None:
            raise TokenRequestInvalid("grant_type")
        case "password":
            username = _given(form.username, "username")
            return await sign_in.with_password(
                username, _secret(form.password, "password"), form.scope
            )
        case "client_credentials":
            client_id, secret = _client(form, request)
            return await sign_in.as_service(client_id, secret, form.scope)
        case "refresh_token":
            return await sign_in.again(_secret(form.refresh_token, "refresh_token"), form.scope)
        case other:
            raise GrantTypeUnsupported(given=other[:100])


@router.post(
    "/revoke", summary="Sign out", responses={400: _REFUSALS[400]}, response_class=Response
)
async def revoke(form: Annotated[RevocationForm, Form()], sign_in: SigningIn) -> Response:
    """End the session of a refresh or access token (RFC 7009); 200 also if there is none to end."""
    await sign_in.end(_secret(form.token, "token"))
    return Response(status_code=200, headers=NOT_STORED)


@router.get("/jwks", summary="The public token key")
async def jwks(tokens: Tokens, response: Response) -> KeySet:
    """Return the key with which others can check this node's access tokens (RFC 7517, RFC 8037)."""
    response.headers["Cache-Control"] = f"public, max-age={_JWKS_SECONDS}"
    return KeySet.model_validate(tokens.public_keys())


def _token_out(issued: Issued) -> TokenOut:
    return TokenOut(
        access_token=issued.access_token,
        expires_in=int(issued.lifetime.total_seconds()),
        refresh_token=issued.refresh_token,
        scope=" ".join(sorted(issued.permissions)),
    )


def _given(value: str | None, name: str) -> str:
    if not value:
        raise TokenRequestInvalid(name)
    return value


def _secret(value: SecretStr | None, name: str) -> str:
    return _given(value.get_secret_value() if value else None, name)


def _client(form: TokenForm, request: Request) -> tuple[str, str]:
    """Return client id and secret, from HTTP Basic if it is there, else from the form (RFC 6749, 2.3.1)."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        client_id = _given(form.client_id, "client_id")
        return client_id, _secret(form.client_secret, "client_secret")
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise ClientWrong from None
    client_id, _, secret = pair.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)
