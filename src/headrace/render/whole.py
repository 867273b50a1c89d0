"""People as destinations that follow profiles are told of them: with all identities, and the audiences that changed."""

from headrace.model.message import Entry
from headrace.model.profile import Profile
from headrace.render.target import Audiences, TargetProfile


def whole_person(target: TargetProfile, entry: Entry, profile: Profile, audiences: Audiences) -> TargetProfile:
    """
    Return a target profile with every identity, and the audiences whose change it tells.

    An entry of one audience has that in any case. Of somebody whose identities are gone, those stand that were shown.
    """
    news = {*entry.changed, entry.audience}
    memberships = {
        namespace: {id_: item for id_, item in held.items() if audiences.numbers[namespace][id_] in news}
        for namespace, held in target["segmentMembership"].items()
    }
    identities = {
        namespace: [{"id": identity["id"]} for identity in held]
        for namespace, held in (profile.get("identityMap") or {}).items()
        if held
    }
    told = {namespace: held for namespace, held in memberships.items() if held}
    return {**target, "segmentMembership": told, "identityMap": identities or target["identityMap"]}
