"""Alerts: what people can be told of when nobody is looking, and how they say that they want to be."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from headrace.model.block import SERVER_SET, Block, rule
from headrace.model.kinds import SecretText, WebUrl
from headrace.model.problem import Problem
from headrace.model.signing_secret import key_of

AlertName = Literal[
    "flow-run-delay",
    "flow-run-failure",
    "flow-run-success",
    "flow-run-start",
    "activation-skip-rate-exceeded",
    "dataflow-held",
    "account-sign-in-needed",
    "changes-parked",
    "backlog-age",
    "partner-unreachable",
    "storage-full",
    "worker-gone",
]


@dataclass(frozen=True, slots=True)
class Kind:
    """
    A kind of alert: what is wrong, what it is about, and the threshold that counts if a subscription names none.

    ``is_news``: it is told once and not in force afterwards. ``of_host``: it is about the installation, and is told in
    the sandboxes of the organization that runs it.
    """

    title: str
    about: Literal["dataflow", "account", "process", "installation"]
    default: float | None = None
    unit: str = ""
    is_news: bool = False
    of_host: bool = False


KINDS: dict[str, Kind] = {
    "flow-run-delay": Kind("a dataflow takes too long to activate its audiences", "dataflow", 150, "minutes"),
    "flow-run-failure": Kind("a run of a dataflow failed", "dataflow"),
    "flow-run-success": Kind("a run of a dataflow succeeded", "dataflow", is_news=True),
    "flow-run-start": Kind("a run of a dataflow began", "dataflow", is_news=True),
    "activation-skip-rate-exceeded": Kind("too many changes of a dataflow are withheld", "dataflow", 10, "percent"),
    "dataflow-held": Kind("a dataflow is held", "dataflow"),
    "account-sign-in-needed": Kind("an account cannot be used", "account"),
    "changes-parked": Kind("changes of a dataflow are laid aside", "dataflow", 0, "changes"),
    "backlog-age": Kind("what a dataflow has to send has waited for long", "dataflow", 15, "minutes"),
    "partner-unreachable": Kind("the partner of a dataflow does not answer", "dataflow"),
    "storage-full": Kind("the disk is nearly full", "installation", of_host=True),
    "worker-gone": Kind("a process ended without a word", "process", of_host=True),
}

_MAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def _mail_address(text: str) -> str:
    if not _MAIL.fullmatch(text) or len(text) > 254:
        raise PydanticCustomError("invalid", "is no address of mail such as `ops@example.com`")
    return text


#: One that is right.
_ANY_SECRET = "whsec_" + "A" * 32

MailAddress = Annotated[str, AfterValidator(_mail_address)]


class AlertSubscription(Block):
    """Somebody who wants to be told of alerts, by mail or by a webhook."""

    ignored: ClassVar[frozenset[str]] = SERVER_SET | {"id", "createdAt", "modifiedAt", "etag"}

    alerts: tuple[AlertName, ...] = Field(min_length=1, max_length=len(KINDS), description="What to be told of.")
    dataflow: str | None = Field(
        None, min_length=1, max_length=64, description="The dataflow that it is about; without it, the whole sandbox."
    )
    threshold: float | None = Field(
        None,
        ge=0,
        le=1_000_000_000,
        description="What is too much, in the alert's own unit, where a single one is named that has a threshold.",
    )
    mail: MailAddress | None = Field(None, description="The address that mail is sent to.")
    webhook: WebUrl | None = Field(None, description="The URL that a signed message is posted to.")
    signing_secret: SecretText | None = Field(
        None, description="What messages to the webhook are signed with, as Standard Webhooks writes it: `whsec_…`."
    )

    @rule
    def _has_one_way(self) -> Iterator[Problem]:
        if (self.mail is None) == (self.webhook is None):
            yield Problem("one-of-two", "", "name a way to be told: `mail` or `webhook`, one of them")

    @rule
    def _signs_to_webhooks_alone(self) -> Iterator[Problem]:
        if (self.webhook is None) != (self.signing_secret is None):
            message = "messages to a `webhook` are signed, and mail is not: give `signingSecret` with the one alone"
            yield Problem("one-of-two", "/signingSecret", message)

    @rule
    def _has_a_secret_to_sign_with(self) -> Iterator[Problem]:
        try:
            key_of(self.signing_secret if self.signing_secret is not None else _ANY_SECRET)
        except ValueError as error:
            yield Problem("invalid", "/signingSecret", str(error))

    @rule
    def _measures_one(self) -> Iterator[Problem]:
        if self.threshold is None:
            return
        if len(self.alerts) != 1 or KINDS[self.alerts[0]].default is None:
            measured = ", ".join(name for name, kind in KINDS.items() if kind.default is not None)
            message = f"a `threshold` goes with a single one of these: {measured}"
            yield Problem("one-of-two", "/threshold", message)

    @rule
    def _is_about_dataflows(self) -> Iterator[Problem]:
        if self.dataflow is None:
            return
        for place, name in enumerate(self.alerts):
            if KINDS[name].about != "dataflow":
                message = f"`{name}` is about no dataflow: subscribe to it without `dataflow`"
                yield Problem("one-of-two", f"/alerts/{place}", message)
