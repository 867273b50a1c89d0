"""To which origins a destination's credentials may go: those of the addresses that its edition names."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from headrace.connect.origins import Origins
from headrace.errors import AuthoringError
from headrace.services.catalog import Edition
from headrace.services.disclosure import Language, plain_origin, request_addresses
from headrace.template import compile as compile_template
from headrace.template.macros import compile_macros


def origins_of(
    edition: Edition, customer_data: Mapping[str, Any], auth_data: Mapping[str, str], more: Iterable[str] = ()
) -> Origins:
    """
    Return the origins of everything that an edition sends requests to, and of ``more``.

    Addresses are filled in with what the operator gave and with nothing else: where a person's data would decide on the
    host, the address is none, or another than the message has then. Of an address whose host can be read off it, the
    rest is not looked at: a path may have in it what it likes.
    """
    context = {"customerData": dict(customer_data), "authData": dict(auth_data)}
    return Origins.of([*_filled_in(request_addresses(edition.document, edition.parts), context), *more])


def _filled_in(addresses: Iterable[tuple[str, Language]], context: Mapping[str, Any]) -> Iterator[str]:
    for text, language in addresses:
        compiled = compile_macros if language == "macros" else compile_template
        try:
            yield compiled(plain_origin(text) or text, escaping="none", name="url").render(context)
        except AuthoringError:
            continue  # It cannot be filled in with this alone.
