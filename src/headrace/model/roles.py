"""Permissions and roles: what can be allowed, and the bundles in which people are given it."""

from dataclasses import dataclass
from typing import Literal

PermissionName = Literal[
    "authoring:read",
    "authoring:write",
    "publishing:review",
    "activation:read",
    "activation:write",
    "profiles:read",
    "profiles:write",
    "profiles:erase",
    "monitoring:read",
    "audit:read",
    "access:read",
    "access:write",
    "governance:read",
    "governance:write",
]
RoleName = Literal["viewer", "author", "reviewer", "operator", "admin"]

#: What routes may ask for, and what it allows.
PERMISSIONS: dict[str, str] = {
    "authoring:read": "Read destination servers, destinations and what else authors declare.",
    "authoring:write": "Create, replace and delete what authors declare, test it, and ask for it to be published.",
    "publishing:review": "Decide requests to publish. The host's reviewers decide those of every organization.",
    "activation:read": "Read accounts, connections and dataflows. Credentials stay masked.",
    "activation:write": "Create, change and delete accounts, connections and dataflows.",
    "profiles:read": "See what is said of people: what partners were told, files of the landing zone, parked messages.",
    "profiles:write": "Send profiles.",
    "profiles:erase": "Erase people, see what became of that, and let erased people be sent again.",
    "monitoring:read": "Read the ledger, what is parked, and the alerts that are in force.",
    "audit:read": "Read the organization's audit, and check that it is whole.",
    "access:read": "Read the organization's sandboxes, users and API clients.",
    "access:write": "Create, change and end sandboxes, users and API clients.",
    "governance:read": "Read what governs data: labels, marketing actions, policies, what people consent to.",
    "governance:write": "Change what governs data: labels, marketing actions, policies, those of consent too.",
}


@dataclass(frozen=True, slots=True)
class Role:
    """A bundle of permissions, and who it is for."""

    description: str
    permissions: frozenset[str]


_VIEWER: frozenset[str] = frozenset({"authoring:read", "activation:read", "monitoring:read", "governance:read"})

ROLES: dict[str, Role] = {
    "viewer": Role("Sees everything that is declared and what became of it, and changes nothing.", _VIEWER),
    "author": Role("Writes destinations.", _VIEWER | {"authoring:write"}),
    "reviewer": Role(
        "Decides what is published, and what may be done with data.",
        _VIEWER | {"publishing:review", "audit:read", "governance:write"},
    ),
    "operator": Role(
        "Connects accounts, activates audiences, sends profiles.",
        _VIEWER | {"activation:write", "profiles:read", "profiles:write", "profiles:erase"},
    ),
    "admin": Role("Everything, and says who else may do what.", frozenset(PERMISSIONS)),
}
