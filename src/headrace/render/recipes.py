"""From what is declared to a recipe: read here once, so that the processes that render need not read configuration."""

from typing import Any

import msgspec

from headrace.mapping import Mapping
from headrace.model.aggregation import Policy
from headrace.model.destination_server import DestinationServer, HttpTemplate
from headrace.model.text import TemplatedText
from headrace.render.parts import Parting
from headrace.render.recipe import HeaderRecipe, Recipe, TextRecipe
from headrace.render.target import Audiences


def recipe_of(
    *,
    dataflow: str,
    version: str,
    server: DestinationServer,
    policy: Policy,
    mapping: Mapping,
    audiences: Audiences,
    parting: Parting,
    is_whole: bool = False,
    facts: dict[str, Any],
    customer_data: dict[str, Any],
    auth_data: dict[str, str],
) -> Recipe:
    """Write the recipe of a dataflow's messages. Credentials are in it only where a template may read them."""
    assert server.url_based_destination is not None
    http = server.http_template or HttpTemplate(httpMethod="POST")
    query, body = http.query_parameters, http.request_body
    recipe = Recipe(
        dataflow=dataflow,
        version=version,
        method=http.http_method,
        url=_text(server.url_based_destination.url, "url"),
        query=_text(query, "queryParameters") if query is not None else None,
        headers=tuple(HeaderRecipe(item.header, _text(item.value, f"header {item.header}")) for item in http.headers),
        body=_text(body, "requestBody") if body is not None else None,
        content_type=http.content_type,
        id_header=http.extension.message_id_header,
        entry_id=http.extension.entry_id,
        max_users=policy.most_entries,
        attributes=mapping.attribute_rows,
        identities=mapping.identity_rows,
        predefined=mapping.predefined,
        namespaces=mapping.namespaces,
        audiences=tuple(audiences.by_number.values()),
        identity_groups=parting.groups,
        splits=parting.splits,
        is_whole=is_whole,
        facts=facts,
        customer_data=customer_data,
    )
    return msgspec.structs.replace(recipe, auth_data=auth_data) if recipe.reads_auth_data else recipe


def _text(text: TemplatedText, name: str) -> TextRecipe:
    return TextRecipe(text.value, name, text.extension.escaping if text.is_template else None)
