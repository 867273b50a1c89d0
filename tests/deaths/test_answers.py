"""Whatever partners answer: everything has an outcome, nobody is told older things after newer, the books add up."""

from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from headrace.testkit.partner import Answer, Partner

from .conftest import MORE, SETTINGS, Story, people
from .scripts import Said, corpus, drawn, partial

#: Waits that a partner may ask for, cut short.
SHORT = {
    "headrace.streaming.slots.LONGEST_PAUSE": 0.1,
    "headrace.streaming.slots.FIRST_PAUSE": 0.05,
    "headrace.streaming.slots.LONGEST_OWN_PAUSE": 0.1,
    "headrace.streaming.breaker.LONGEST": 2,
}
QUICK_RETRIES = {"retry_steps": ",".join(["0.05"] * 12), "probe_after": 0.1}
TOGETHER = 25


class Scripted(Partner):
    """Many partners behind one port, by the path: each has a script, and a record of what it has done."""

    def __init__(self, scripts, **options):
        super().__init__(default=self._say, **options)
        self.scripts = {f"/{number}": script for number, script in enumerate(scripts)}
        self.left = {path: list(script.answers) for path, script in self.scripts.items()}
        self.record = defaultdict(list)

    def _say(self, received):
        path = received.path
        told = [someone["identityMap"]["id"][0]["id"] for someone in received.json()["people"]]
        if self.scripts[path].poison.intersection(told):
            answer = Said(400, takes="none")
        elif self.left[path]:
            answer = self.left[path].pop(0)
        else:
            answer = self._usual(path, told)
        if answer.partial:
            answer = replace(answer, body=partial(answer, told))
        self.record[path].append((answer, received))
        return answer

    def _usual(self, path, told):
        """Take everything, in words that the author reads."""
        body = b'{"failed": 0, "r": [%s]}' % b",".join(
            b'{"i": %d, "id": "%s", "ok": true}' % (place, who.encode()) for place, who in enumerate(told)
        )
        return Said(200, body=body)

    def write(self, answer: Answer) -> bytes:
        return answer.raw if isinstance(answer, Said) and answer.status == 0 else super().write(answer)


def tell(mother, home, scripts):
    """Have an engine tell each partner two states of everybody; return what partners did, and what is known of it."""
    with Scripted.in_thread(scripts) as partner:
        named = {path.strip("/"): script.reading for path, script in partner.scripts.items()}
        story = Story(mother, home, partner, is_begun=False, flows=named)
        story.settings = {**SETTINGS, **story.settings, "request_deadline": 0.4, **QUICK_RETRIES}
        story.tell(*people(1, count=6))
        story.live("tell_many", **SHORT)
        story.tell(*people(2, count=6))
        story.live("tell_many", **SHORT)
        return partner, story


def judge(partner, story, path):
    """Hold what one partner was told and did against what is true."""
    script, name = partner.scripts[path], path.strip("/")
    book, parked = story.notes["books"][name], {who for flow, who in story.notes["whose"] if flow == name}
    settled = sum(book.get(column, 0) for column in ("delivered", "superseded", "withheld", "parked"))
    assert book["accepted"] == settled
    assert (book.get("parked", 0) > 0) == bool(parked)
    believed, newest, taken, unknown, bodies = {}, Counter(), Counter(), Counter(), {}
    for answer, received in partner.record[path]:
        id_ = received.headers["idempotency-key"]
        assert bodies.setdefault(id_, received.body) == received.body, "one id has two contents"
        assert taken[id_] <= unknown[id_], "what is known to be taken is sent again"
        is_certain = answer.takes == "all" and (not script.reading or answer.body.startswith(b'{"failed"'))
        taken[id_] += is_certain
        unknown[id_] += not is_certain
        for place, someone in enumerate(received.json()["people"]):
            who, number = someone["identityMap"]["id"][0]["id"], int(someone["attributes"]["city"]["value"])
            assert number >= newest[who], f"{who} is told of {number} after {newest[who]}"
            newest[who] = number
            if answer.takes in ("all", "maybe") or (answer.takes == "some" and place % 2 == 0):
                believed[who] = someone["segmentMembership"]["ups"]["a"]["status"] == "realized"
    for who, states in story.states.items():
        is_member = states[-1]["segmentMembership"]["ups"]["a"]["status"] == "realized"
        assert who in parked or believed.get(who) == is_member, f"{who}: {believed.get(who)}, not {is_member}"
    may_park = script.poison or any(
        400 <= answer.status < 500 or 300 <= answer.status < 400 for answer in script.answers
    )
    assert may_park or script.reading or not parked, f"parked without a reason: {parked}"
    assert script.poison <= parked


def check(mother, home, scripts):
    wrong = []
    partner, story = tell(mother, home, scripts)
    for path, script in partner.scripts.items():
        try:
            judge(partner, story, path)
        except AssertionError as error:
            said = [(answer.status, answer.takes) for answer, _ in partner.record[path]]
            wrong.append(f"{script.name}: {str(error).splitlines()[0]} {said}")
    assert wrong == []


WRITTEN = list(corpus())
QUICK = [*WRITTEN, *(drawn(seed) for seed in range(100 - len(WRITTEN) % 100))]
PARTS = [QUICK[start : start + TOGETHER] for start in range(0, len(QUICK), TOGETHER)]


@pytest.mark.parametrize("part", range(len(PARTS)))
def test_whatever_partners_answer_everything_has_an_outcome(mother, tmp_path, part):
    check(mother, tmp_path, PARTS[part])


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(8 * MORE))
def test_whatever_many_more_partners_answer(mother, tmp_path, part):
    check(mother, tmp_path, [drawn(1000 + part * TOGETHER + seed) for seed in range(TOGETHER)])
