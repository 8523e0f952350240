"""Preferences as they are taken and answered."""

import re
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from services.city_node.customer.schemas import Body, Line
from services.city_node.preference.models import PreferenceTopic
from shared.kernel.language import Text
from shared.kernel.wording import Unfit

_FORMS = {
    PreferenceTopic.MARKETING: (
        re.compile("welcome|refused"),
        Text("welcome or refused", "welcome 或 refused"),
    ),
    PreferenceTopic.BILL_MEDIUM: (
        re.compile("paper|email|sms|none"),
        Text("paper, email, sms or none", "paper、email、sms 或 none"),
    ),
    PreferenceTopic.LANGUAGE: (
        re.compile("[a-z]{2,3}(-[A-Za-z0-9]{2,8})*"),
        Text("a tag such as zh or en-GB", "语言标签，如 zh、en-GB"),
    ),
}
_UNFIT = Text("the value of {topic} is {form}", "{topic} 的取值为{form}")


class PreferenceCreate(Body):
    """A preference."""

    topic: PreferenceTopic
    value: Line = Field(examples=["welcome"])

    @model_validator(mode="after")
    def _fits_its_topic(self) -> Self:
        form = _FORMS.get(PreferenceTopic(self.topic))
        if form is not None and not form[0].fullmatch(self.value):
            raise Unfit(_UNFIT, topic=self.topic, form=form[1])
        return self


class PreferenceOut(BaseModel):
    """A preference of a customer."""

    id: UUID
    topic: PreferenceTopic
    value: str
