"""Errors as problem details (RFC 9457), in the reader's language.

A domain declares each way it can refuse as a class beside the code that raises it: a status, a title and a
sentence with placeholders. The class name gives the stable ``type``, ``urn:guanxi:problem:<kebab-name>``, which
``docs/problems.md`` lists. Fields at fault are named by JSON pointers (RFC 6901).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Self

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from shared.kernel.language import Language, Text, preferred_language
from shared.kernel.wording import in_chinese

MEDIA_TYPE = "application/problem+json"

_SCHEMA = {
    "title": "Problem",
    "description": "RFC 9457 problem details; nothing was changed.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Stable name of the problem."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was wrong and what to do."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
    "examples": [
        {
            "type": "urn:guanxi:problem:input-invalid",
            "title": "Input invalid",
            "status": 422,
            "detail": "1 place(s) in the request are wrong; `errors` names each. Nothing was changed.",
            "errors": [{"pointer": "/name", "detail": "Field required"}],
        }
    ],
}
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": {MEDIA_TYPE: {"schema": _SCHEMA}}}
    for status, description in (
        ("4XX", "Refused: the request was wrong, not allowed or out of date"),
        (422, "Refused: the input does not have the documented form"),
        ("5XX", "Failed: nothing was changed; try again"),
    )
}
"""The refusals that every operation has in common, for OpenAPI."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One place in the input that is wrong."""

    pointer: str
    """JSON pointer into the body (``/name``), or ``query:level``, ``header:If-Match``, ``path:id`` outside it."""
    detail: str
    """What is wrong there, in English."""
    detail_zh: str | None = None
    """The same in Chinese, where it has been put into it."""

    @classmethod
    def of(cls, pointer: str, text: Text, **values: object) -> Self:
        """Return a fault that is told in both languages."""
        en, zh = (text.speak(language, **values) for language in Language)
        return cls(pointer, en, zh)

    def speak(self, language: Language) -> str:
        """Return what is wrong there, in ``language`` if it has been put into it."""
        return self.detail_zh or self.detail if language is Language.CHINESE else self.detail


_BY_CONSTRAINT: dict[str, "type[Problem]"] = {}


class Problem(Exception):
    """A refusal that tells its reader what was wrong, where, and what to do."""

    status: int = 400
    title: ClassVar[Text] = Text("Bad request", "请求有误")
    sentence: ClassVar[Text] = Text("The request cannot be carried out.", "无法处理该请求。")
    constraint: ClassVar[str | None] = None
    """The constraint by whose breach the database itself refuses so, with the values of the sentence as its detail."""

    def __init_subclass__(cls) -> None:
        """Note which problem the breach of a constraint is."""
        if cls.constraint is not None:
            _BY_CONSTRAINT[cls.constraint] = cls

    def __init__(
        self,
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        **values: object,
    ) -> None:
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        self.values = values
        super().__init__(self.speak(Language.ENGLISH))

    @classmethod
    def slug(cls) -> str:
        """Return the last part of the stable type: the class name in kebab case."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def type_uri(cls) -> str:
        """Return the stable ``type`` of this problem."""
        return f"urn:guanxi:problem:{cls.slug()}"

    def speak(self, language: Language) -> str:
        """Return what happened, as a sentence in ``language``."""
        return self.sentence.speak(language, **self.values)

    def as_details(self, language: Language) -> dict[str, Any]:
        """Return the RFC 9457 object."""
        details: dict[str, Any] = {
            "type": self.type_uri(),
            "title": self.title.speak(language),
            "status": self.status,
            "detail": self.speak(language),
        }
        if self.faults:
            details["errors"] = [
                {"pointer": f.pointer, "detail": f.speak(language)} for f in self.faults
            ]
        return details


class InputInvalid(Problem):
    """The input does not have the form the interface documents."""

    status = 422
    title = Text("Input invalid", "输入无效")
    sentence = Text(
        "{count} place(s) in the request are wrong; `errors` names each. Nothing was changed.",
        "请求中有 {count} 处错误，见 errors；未作任何更改。",
    )


class NotFound(Problem):
    """There is nothing at this path."""

    status = 404
    title = Text("Not found", "不存在")
    sentence = Text(
        "There is nothing at {path}; see /openapi.json for what there is.",
        "{path} 不存在，可用接口见 /openapi.json。",
    )


class MethodNotAllowed(Problem):
    """The path exists; the method does not."""

    status = 405
    title = Text("Method not allowed", "方法不允许")
    sentence = Text(
        "{path} does not take {method}; see /openapi.json.",
        "{path} 不接受 {method}，见 /openapi.json。",
    )


class RequestRefused(Problem):
    """The framework refused the request before it reached the interface."""

    title = Text("Request refused", "请求被拒绝")
    sentence = Text("The request was refused: {reason}.", "请求被拒绝：{reason}。")

    def __init__(self, error: HTTPException) -> None:
        super().__init__(reason=error.detail, headers=error.headers)
        self.status = error.status_code


class BodyUnreadable(Problem):
    """The body of a request cannot be read at all."""

    status = 400
    title = Text("Body unreadable", "请求正文无法读取")
    sentence = Text(
        "The body of the request cannot be read: it is cut off, nested too deeply, or not what its `Content-Type` says. Nothing was changed.",
        "无法读取请求正文：内容不完整、嵌套过深，或与 Content-Type 不符；未作任何更改。",
    )


class MediaTypeUnsupported(Problem):
    """The body of a request came as something else than JSON."""

    status = 415
    title = Text("Media type unsupported", "不支持的内容类型")
    sentence = Text(
        "The body has to be JSON, and to say so by `Content-Type: application/json`; it came as '{given}'. Nothing was changed.",
        "请求正文须为 JSON，并以 Content-Type: application/json 注明；收到的是“{given}”；未作任何更改。",
    )


class InternalError(Problem):
    """A defect of the program: nothing was changed, and the log has the cause under the request's id."""

    status = 500
    title = Text("Internal error", "内部错误")
    sentence = Text(
        "The node failed to handle the request and changed nothing. Give the operator the request id {request_id}.",
        "节点处理请求失败，未作任何更改。请将请求编号 {request_id} 告知运维员。",
    )


class DatabaseUnavailable(Problem):
    """The node's database cannot be reached just now."""

    status = 503
    title = Text("Database unavailable", "数据库不可用")
    sentence = Text(
        "The node's database cannot be reached just now; nothing was changed. Try again in a few seconds.",
        "节点数据库暂时不可用，未作任何更改，请稍后重试。",
    )


class CharacterNotStorable(Problem):
    """A text of the request holds a character that a database cannot keep, so that nothing is called so."""

    status = 422
    title = Text("Character not storable", "含有无法保存的字符")
    sentence = Text(
        "A text of the request holds the character U+0000, which cannot be stored or searched for. Nothing was changed; leave it out.",
        "请求的文本中含有无法保存或检索的字符 U+0000。未作任何更改，请去掉该字符。",
    )


_NOT_STORABLE = {"22021", "22P05"}
"""SQLSTATE: the character is in no text, or in no JSON, of the database."""


def of_breach(error: BaseException) -> Problem | None:
    """Return what a database error refuses: the breach of a constraint that a problem declares, or a text as such."""
    cause: BaseException | None = error
    while cause is not None:
        if getattr(cause, "sqlstate", None) in _NOT_STORABLE:
            return CharacterNotStorable()
        name = getattr(cause, "constraint_name", None)
        if name in _BY_CONSTRAINT:
            return _BY_CONSTRAINT[name](**json.loads(getattr(cause, "detail", None) or "{}"))
        cause = getattr(cause, "orig", None) or cause.__cause__
    return None


def problem_response(problem: Problem, language: Language) -> Response:
    """Render ``problem`` as an HTTP response in ``language``."""
    headers = {"Content-Language": language.value, **problem.headers}
    if problem.status in {InternalError.status, DatabaseUnavailable.status}:
        headers.setdefault("Retry-After", "5")
    text = json.dumps(problem.as_details(language), ensure_ascii=False, separators=(",", ":"))
    # A refusal may repeat what was sent, and that may hold half of a character, which UTF-8 does not have.
    return Response(text.encode(errors="replace"), problem.status, headers, media_type=MEDIA_TYPE)


def language_of(request: Request) -> Language:
    """Return the language the caller wants to be answered in."""
    return preferred_language(request.headers.get("accept-language"))


def pointer_of(location: Sequence[str | int]) -> str:
    """Return where a validation error lies: a JSON pointer in the body, ``query:name`` and so on outside it."""
    where, *rest = location or ("body",)
    if where == "body":
        return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in rest)
    return f"{where}:{'.'.join(str(part) for part in rest)}"


def invalid_input(errors: Sequence[Mapping[str, Any]]) -> InputInvalid:
    """Return the problem for pydantic ``errors``, one fault each."""
    faults = [_fault(error) for error in errors]
    return InputInvalid(faults=faults, count=len(faults))


def _fault(error: Mapping[str, Any]) -> Fault:
    if error["type"] == "json_invalid":
        position = error["loc"][-1]
        return Fault(
            "",
            f"not JSON: {error['ctx']['error']} at character {position}",
            f"不是有效的 JSON：第 {position} 个字符处有误",
        )
    said = str(error["msg"]).removeprefix("Value error, ")
    return Fault(pointer_of(error["loc"]), said, in_chinese(error))


def _methods(request: Request) -> set[str]:
    """Return every method that the path takes: the framework names those of the first route alone."""
    return {
        method
        for route in iter_route_contexts(request.app.routes)
        if _pattern(route.path or "").match(request.scope["path"])
        for method in route.methods or ()
    }


@cache
def _pattern(path: str) -> re.Pattern[str]:
    return compile_path(path)[0]


def install(app: FastAPI) -> None:
    """Make ``app`` answer every error with problem details."""

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)  # noqa: S101 - the registration below guarantees it
        return problem_response(error, language_of(request))

    async def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
        problem: Problem
        if any(
            each["loc"] == ("body",) and isinstance(each["input"], bytes) for each in error.errors()
        ):
            # The framework reads a body as JSON only where it is called so.
            problem = MediaTypeUnsupported(given=request.headers.get("content-type", ""))
        else:
            problem = invalid_input(error.errors())
        return problem_response(problem, language_of(request))

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - as above
        path, method = request.url.path, request.method
        problem: Problem
        if error.status_code == NotFound.status:
            problem = NotFound(path=path)
        elif error.status_code == MethodNotAllowed.status:
            allowed = {"Allow": ", ".join(sorted(_methods(request)))}
            problem = MethodNotAllowed(path=path, method=method, headers=allowed)
        elif error.status_code == BodyUnreadable.status:  # what the framework says of bodies alone
            problem = BodyUnreadable()
        else:
            problem = RequestRefused(error)
        return problem_response(problem, language_of(request))

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
