"""Lists as the flow service answers them: what is asked of one, and a page with the way on."""

from typing import Annotated, Any

from fastapi import Depends, Query

from headrace.services.listing import MOST
from headrace.services.listing import Query as Wanted

Object = dict[str, Any]


Properties = Annotated[
    list[str] | None,
    Query(alias="property", description="A filter, `name==value`, with `.` for members of members."),
]


def filtered(properties: Properties = None) -> Wanted:
    """Read which objects of a short list are wanted."""
    return Wanted(tuple(properties or ()))


Filters = Annotated[Wanted, Depends(filtered)]


def wanted(
    limit: Annotated[int, Query(ge=1, le=MOST, description="The most to list.")] = MOST,
    order_by: Annotated[
        str, Query(alias="orderby", description="By what to sort: names with commas between, `-` for descending.")
    ] = "",
    properties: Properties = None,
    token: Annotated[
        str, Query(alias="continuationToken", description="Where to go on, from `_links.next.href`.")
    ] = "",
    count: Annotated[bool, Query(description="Answer how many there are, and nothing else.")] = False,
) -> tuple[Wanted, bool]:
    """Read how a list is to be."""
    return Wanted(tuple(properties or ()), limit, order_by, token), count


Listing = Annotated[tuple[Wanted, bool], Depends(wanted)]


def page_of(path: str, objects: list[Object], asked: tuple[Wanted, bool]) -> Object:
    """Answer a page of a list, with the link to the next one; or how many there are, where only that is asked."""
    query, only_count = asked
    page = query.page(objects)
    if only_count:
        return {"count": page.count}
    links = {"next": {"href": f"{path}?continuationToken={page.next}"}} if page.next else {}
    return {"items": [*page.items], "_links": links}
