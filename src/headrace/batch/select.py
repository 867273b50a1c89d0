"""
Which rows go into the next file of an audience: a pure function of a person then and now, and of how files are written.

| since the last file of the audience, a person | full | incremental |
|---|---|---|
| is a member, and there was no file yet | yes | yes |
| is a member still, and nothing has changed | yes | no |
| has entered | yes | yes |
| has left | no | with the status ``exited``, if the status is mapped |
| is a member still, and has another identity | yes | yes |
| is a member still, and a mapped attribute has changed | yes | no |

A run may have shown files without publishing them: it died in between. Whoever those have otherwise than the files
before is *unsure*: nobody knows as what the partner has them. They count as new where they are members, and as members
where they are none, so that in the end the partner has them as what they are.
"""

from dataclasses import dataclass
from typing import Literal

from headrace.model.message import Status

Mode = Literal["full", "incremental"]


@dataclass(frozen=True, slots=True)
class Sight:
    """
    What is known of one person and one audience: the membership now, and at the cut of the last file published.

    ``None``: there is no membership. What has changed since that cut: whether an identity was added, whether anything
    that is mapped is another. ``is_unsure``: files that were shown and not published do not agree on ``then``.
    """

    now: Status | None
    then: Status | None
    is_unsure: bool = False
    has_new_identity: bool = False
    has_new_attributes: bool = False


@dataclass(frozen=True, slots=True)
class Manner:
    """
    How the files of an audience are written.

    ``is_first``: none was published yet. ``tells_status``: the status of the membership is mapped, so that a row can
    say who has left. ``follows_identities``: a new identity brings a member into an incremental file.
    """

    mode: Mode
    is_first: bool = False
    tells_status: bool = False
    follows_identities: bool = True

    @property
    def tells_who_left(self) -> bool:
        """Whether there may be rows of people who are no members any more."""
        return self.mode == "incremental" and self.tells_status and not self.is_first


def row_of(person: Sight, manner: Manner) -> Status | None:
    """
    Return the status that a person's row has in the next file; ``None``: there is no row.

    >>> row_of(Sight("exited", "realized"), Manner("incremental", tells_status=True))
    'exited'
    """
    if person.now != "realized":
        return "exited" if _has_to_be_taken_out(person, manner) else None
    if manner.mode == "full" or manner.is_first or person.is_unsure or person.then != "realized":
        return "realized"
    return "realized" if manner.follows_identities and person.has_new_identity else None


def _has_to_be_taken_out(person: Sight, manner: Manner) -> bool:
    """Say whether an earlier file has somebody as a member who is none, and this one can say so."""
    return manner.tells_who_left and (person.is_unsure or person.then == "realized")
