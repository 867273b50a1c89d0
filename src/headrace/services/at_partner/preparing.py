"""What a request about audiences is made of, read in one transaction: the template, the account's way, the context."""

from dataclasses import dataclass

from headrace.services.at_partner import contexts
from headrace.services.at_partner.contexts import Context
from headrace.services.at_partner.events import Events
from headrace.services.at_partner.wanting import Place
from headrace.services.partners import PartnerAccess, Partners


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything for a request but the token of the moment in which it leaves."""

    events: Events
    access: PartnerAccess
    _context: Context

    async def context(self) -> Context:
        """
        Return what the templates see.

        Raises:
            NotValid: the operator's values are not as the template asks; no token was asked for either.
            HeadraceError: there is no token.
        """
        self.events.check(self.access.customer_data)
        return contexts.signed_in(self._context, await self.access.auth_data())


def prepare(place: Place, partners: Partners, about: Context, actor: str) -> Prepared:
    """
    Read what requests to a target connection's partner are made of, for ``actor``; ``about`` is what this one is about.

    Raises:
        AccountError: the credentials are not complete.
    """
    assert place.template is not None, "without a template there is nothing to send"
    own = place.edition.destination.audience_metadata.extension.authentication_id
    access = partners.access(place.tx, place.tenant, place.edition, place.account, place.target, actor, own=own)
    context = contexts.of_connection(place.edition, access, place.template)
    return Prepared(Events(place.template), access, {**context, **about})
