"""The glossary over HTTP: the same words in the interface, the data and the code."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from shared.glossary.terms import Term, Topic, term, terms

router = APIRouter(prefix="/glossary")


class TermAnswer(BaseModel):
    """A term in both languages."""

    code: str
    topic: str
    zh: str
    en: str
    definition_zh: str
    definition_en: str

    @classmethod
    def of(cls, found: Term) -> "TermAnswer":
        """Return a term as it is sent."""
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


@router.get("/terms", summary="The terms of the system in Chinese and English")
async def list_terms(
    topic: Annotated[Topic | None, Query(description="Only the terms of one topic.")] = None,
    q: Annotated[
        str | None, Query(description="Only terms that contain this text, in either language.")
    ] = None,
) -> list[TermAnswer]:
    """Return the catalogue of terms, which everybody may read."""
    wanted = (q or "").casefold()
    return [
        TermAnswer.of(found)
        for found in terms()
        if (topic is None or found.topic == topic)
        and (wanted in found.zh or wanted in found.en.casefold())
    ]


@router.get("/terms/{code}", summary="One term")
async def read_term(code: str) -> TermAnswer:
    """Return one term by its code."""
    return TermAnswer.of(term(code))
