"""A photo over REST, through real nodes of three tiers."""

import hashlib

import httpx

from services.city_node.attachment import content
from shared.capability import Role
from tests.city.drafts import Headers, SignIn
from tests.city.two_cities import DOCUMENT, HOME, MSISDN, VISITED, City, add_line
from tests.conftest import Nation

SIGNATURE = content.SIGNATURES["image/png"] + b"ink"


async def test_a_photo_goes_through_the_nation_and_is_downloaded(
    nation: Nation, sign_in: SignIn
) -> None:
    home, visited = nation[HOME], nation[VISITED]
    await add_line(City(home.context, home.clock), MSISDN)
    supervisor = await sign_in(visited, Role.SUPERVISOR)
    cards = {"cards": [{"iccid": "89860099990000000001", "imsi": "460090000000001"}]}
    await visited.client.post("/sim-cards", json=cards, headers={**supervisor, **key("cards")})
    headers = await sign_in(visited, Role.CLERK)
    asked = {
        "msisdn": MSISDN,
        "home": HOME,
        "document_type": "id_card",
        "document_number": DOCUMENT,
        "reason": "lost",
    }
    made = await visited.client.post(
        "/card-replacements", json=asked, headers={**headers, **key("ask")}
    )
    path = f"/service-requests/{made.json()['id']}/attachments"
    big = content.SIGNATURES["image/jpeg"] + b"\x00" * (content.MOST_BYTES - 3)
    jpeg = {**headers, "Content-Type": "image/jpeg"}

    async def post(body: bytes, sent: Headers, kind: str = "document_photo") -> httpx.Response:
        return await visited.client.post(path, params={"kind": kind}, content=body, headers=sent)

    added = await post(big, jpeg)
    assert added.status_code == 201, added.text
    assert (await post(big, jpeg)).status_code == 200
    assert (await post(big + b"x", jpeg)).status_code == 413
    assert (await post(SIGNATURE, jpeg)).status_code == 415
    assert (await post(b"MZ\x90", {**headers, "Content-Type": "image/png"})).status_code == 415
    assert (await post(b"", jpeg)).status_code == 415
    assert (await post(SIGNATURE, {**headers, "Content-Type": "image/png"}, "x")).status_code == 422
    await nation.settle()
    at_home = await sign_in(home, Role.CLERK)
    (item,) = (await home.client.get(path, headers=at_home)).json()["items"]
    assert (item["state"], item["size"], item["node"]) == ("held", content.MOST_BYTES, VISITED)
    downloaded = await home.client.get(f"{path}/{item['id']}/content", headers=at_home)
    assert downloaded.content == big
    assert downloaded.headers["content-type"] == "image/jpeg"
    assert downloaded.headers["etag"] == f'"{hashlib.sha256(big).hexdigest()}"'
    assert "attachment" in downloaded.headers["content-disposition"]
    operator = await sign_in(home, Role.OPERATOR)
    assert (await home.client.get(path, headers=operator)).status_code == 403


def key(name: str) -> Headers:
    return {"Idempotency-Key": name}
