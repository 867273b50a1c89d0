"""A house whose destination has an audience template, and a partner in memory that keeps audiences."""

from dataclasses import dataclass

from headrace.connect.call import CallFailed
from headrace.connect.transport import NotSent, Unanswered
from headrace.model.http import Response
from headrace.services import activation, authoring, sources, targets
from headrace.services.at_partner import operating
from headrace.services.at_partner.carrying import AudienceCalls
from headrace.store import partner_audiences, runs
from headrace.store.partner_audiences import ITSELF
from headrace.testkit.audiences import AudienceBook
from headrace.testkit.partner import Answer, Received
from unit.services.house import House, Partner, flow_document

URL = "https://partner.example/audiences"
ALIAS = [{"name": "externalAudienceId", "value": "{{ body.audience.id }}"}]
WORDS = [{"name": "message", "value": "{{ error.message }}"}]
FIND = {
    "url": f"{URL}?ref={{{{ segment.id }}}}",
    "httpMethod": "GET",
    "responseFields": [{"name": "externalAudienceId", "value": "{{ body.audiences[0].id }}"}],
}
CREATE = {
    "url": URL,
    "httpMethod": "POST",
    "requestBody": {"json": {"name": "{{ segment.name }}", "ref": "{{ segment.id }}"}},
    "responseFields": ALIAS,
    "responseErrorFields": WORDS,
}
UPDATE = {
    "url": f"{URL}/{{{{ segment.alias }}}}",
    "httpMethod": "PATCH",
    "requestBody": {"json": {"name": "{{ segment.name }}"}},
    "responseErrorFields": WORDS,
}
DELETE = {"url": f"{URL}/{{{{ segment.alias }}}}", "httpMethod": "DELETE", "responseErrorFields": WORDS}
LIST = {
    "url": URL,
    "httpMethod": "GET",
    "responseFields": [{"name": "audiences", "value": "{{ body.audiences | toJson }}"}],
}
BODY = (
    '{"message": "{{ message.id }}", "aliases": {{ destination.namespaceSegmentAliases | toJson }}, '
    '"people": {{ input.profiles | toJson }}}'
)


def template(**changes):
    """An audience template; an event that is ``None`` is left out."""
    events = {"create": CREATE, "update": UPDATE, "delete": DELETE, "find": FIND, "list": LIST, **changes}
    given = {name: event for name, event in events.items() if event is not None}
    ours = {name: given.pop(name) for name in ("find", "list") if name in given}
    return {"metadataTemplate": {"name": "Lists", **given, **({"x-headrace": ours} if ours else {})}}


class BookedPartner(Partner):
    """A partner in memory: messages as in any house, and audiences in a book."""

    def __init__(self):
        super().__init__()
        self.book = AudienceBook()
        self.requests = []

    async def send(self, request, *, deadline, pool):
        path, _, query = request.url.removeprefix("https://partner.example").partition("?")
        if not path.startswith("/audiences"):
            return await super().send(request, deadline=deadline, pool=pool)
        self.requests.append(request)
        headers = {name.lower(): value for name, value in request.headers}
        answer = self.book(Received(0.0, request.method, path, query, headers, request.body))
        assert isinstance(answer, Answer)
        if answer.reset:
            raise Unanswered("the connection ended")
        if answer.status == 599:
            raise NotSent("nobody is there")
        return Response(answer.status, answer.headers, answer.body)


@dataclass
class PlainSteps:
    """Steps that remember nothing."""

    run: str

    async def step(self, name, work):
        return await work()


class Branch(House):
    """A house with an audience template."""

    def __init__(self, directory, database_url=""):
        super().__init__(directory, BookedPartner(), database_url)
        self.book = self.partner.book
        self.calls = AudienceCalls(self.store, self.clock, self.partners, self._woken)
        self.targets, self.templates = {}, {}

    async def _woken(self, tenant):
        await self.wake_all()

    async def author(self, document=None, name="flow", **changes):
        """Declare a destination with an audience template, and connect to it."""
        wanted = document or template(**changes)
        saved = await self._save(authoring.AUDIENCE_TEMPLATE, wanted)
        self.templates[name] = saved.declared.id
        self.servers[name] = (await self._save(authoring.SERVER, self.server_document(BODY))).declared.id
        document = self.destination_document(name)
        document["audienceMetadataConfig"] = {"audienceTemplateId": saved.declared.id}
        document["customerDataFields"] = [{"name": "login", "title": "Login", "type": "string"}]
        self.destinations[name] = (await self._save(authoring.DESTINATION, document)).declared.id
        connection = {"name": name, "connectionSpec": {"id": self.destinations[name]}, "params": {"login": "us"}}
        target = await targets.create_target(self.store, self.clock, self.keyring, self.caller, connection)
        self.targets[name] = target.id

    async def save_template(self, document, name="flow"):
        await self._save(authoring.AUDIENCE_TEMPLATE, document, self.templates[name])

    async def _save(self, noun, document, id_=None):
        return await authoring.save(self.store, self.clock, self.keyring, self.caller, noun, document, id_=id_)

    async def start(self, *ids, name="flow", target="flow"):
        """Make a dataflow of audiences."""
        source = {"name": name, "connectionSpec": {"id": self.destinations[target]}}
        source = await sources.create_source(self.store, self.clock, self.caller, source)
        mapping = (("identityMap.crmId", "identityMap.id"), ("city", "city"))
        document = flow_document(name, source.id, self.targets[target], ids, mapping)
        flow = await activation.create(self.store, self.clock, self.caller, document)
        self.flows[name] = flow.id

    async def carry(self):
        """Carry the runs that are due, as whoever carries them does; return why some failed."""
        reasons = []
        while due := self._due():
            for run in due:
                reasons += await self.carry_one(run)
        return reasons

    async def carry_one(self, run):
        try:
            await self.calls.carry(run, PlainSteps(run.run))
        except CallFailed as error:
            reason = error.message
            self.store.write_now(lambda tx: runs.end(tx, run.run, "failed", self.clock.now(), reason))
            return [reason]
        self.store.write_now(lambda tx: runs.end(tx, run.run, "succeeded", self.clock.now()))
        return []

    def _due(self):
        due = "state = 'asked' AND kind <> 'backfill' AND due_at <= :now"
        found = self.rows(f"SELECT run FROM runs WHERE {due} ORDER BY asked_at, run", now=self.clock.now())
        return [self.store.read_now(lambda tx, id_=id_: runs.get(tx, id_)) for (id_,) in found]

    async def retry(self, name="flow"):
        await operating.retry(self.store, self.clock, self.caller, self.flows[name])

    async def chosen(self, name="flow"):
        """Return the ids of the audiences that a dataflow is to send, in order."""
        stored = await activation.get(self.store, self.caller, self.flows[name])
        selectors = stored.document["transformations"][0]["params"]["segmentSelectors"]["selectors"]
        return [selector["value"]["id"] for selector in selectors]

    def row(self, audience=1, target="flow"):
        return self.store.read_now(
            lambda tx: partner_audiences.get(tx, self.caller.number, self.targets[target], audience)
        )

    def own_row(self, name="flow"):
        return self.store.read_now(lambda tx: partner_audiences.get(tx, self.caller.number, self.flows[name], ITSELF))

    def mapped(self, name="flow"):
        query = """
            SELECT a.id FROM dataflow_audiences m
            JOIN audiences a ON a.tenant = m.tenant AND a.audience = m.audience
            JOIN dataflows d ON d.tenant = m.tenant AND d.dataflow = m.dataflow
            WHERE d.id = :id ORDER BY a.id
        """
        return [id_ for (id_,) in self.rows(query, id=self.flows[name])]

    async def tell(self):
        """Send whatever waits, those first who were there before."""
        if self.outbox is None:
            await self.open()
        await self.backfill()
        await self.run()
