"""
The tables. ``tenant``, one small integer for an organization's sandbox, comes first in every key.

Text names stay at the door: people, audiences and dataflows are integers inside, because an index of integers is what
makes a change cheap. Moments are milliseconds since 1970.

*Control* tables hold what people declare and who they are: small, and altered by revisions after a copy. *Data* tables
(``DATA``) grow with people and changes: revisions only add to them, and the copy leaves them out.
"""

from headrace.store.tables.alerts import alert_hours, alert_subscriptions, alert_watchers, alerts
from headrace.store.tables.audiences import audience_definitions, audience_evaluations, audience_sources
from headrace.store.tables.base import Whole, metadata
from headrace.store.tables.datasets import dataset_snapshots, datasets
from headrace.store.tables.declared import (
    accounts,
    audience_templates,
    consents,
    conversion_schemas,
    credentials,
    destination_servers,
    destinations,
    mapping_sets,
    publish_requests,
    source_connections,
    target_connections,
    versions,
)
from headrace.store.tables.exports import exported_members, exports
from headrace.store.tables.governance import (
    consent_policies,
    enabled_policies,
    erased_people,
    erasure_receipts,
    erasures,
    marketing_actions,
    policies,
    put_labels,
    tombstones,
    usage_labels,
    withheld_reasons,
)
from headrace.store.tables.keeping import quotas, restored_dataflows
from headrace.store.tables.pacing import rates, slowed_accounts
from headrace.store.tables.parked import parked_messages, parked_numbers, parked_people
from headrace.store.tables.partner import begun_sign_ins, partner_audiences, sign_in_states, unique_values
from headrace.store.tables.people import (
    changes,
    groups,
    lanes,
    namespace_orders,
    namespaces,
    parked,
    profiles,
    taken_requests,
)
from headrace.store.tables.records import (
    audit,
    epochs,
    history,
    hour_codes,
    ledger,
    ledger_deltas,
    ledger_hours,
    parked_codes,
    workers,
)
from headrace.store.tables.runs import audiences, dataflow_audiences, dataflows, executors, runs, schedules
from headrace.store.tables.who import (
    access_tokens,
    api_clients,
    data_keys,
    organizations,
    sessions,
    sign_in_failures,
    tenants,
    user_roles,
    users,
)

#: The tables that grow with people and changes.
DATA = frozenset(
    {
        "audiences",
        "dataflow_audiences",
        "profiles",
        "changes",
        "lanes",
        "groups",
        "parked",
        "parked_messages",
        "parked_numbers",
        "parked_people",
        "ledger_deltas",
        "ledger",
        "ledger_hours",
        "hour_codes",
        "parked_codes",
        "history",
        "taken_requests",
        "withheld_reasons",
        "erasures",
        "erased_people",
        "tombstones",
        "erasure_receipts",
        "exports",
        "exported_members",
    }
)

__all__ = [
    "DATA",
    "Whole",
    "access_tokens",
    "accounts",
    "alert_hours",
    "alert_subscriptions",
    "alert_watchers",
    "alerts",
    "api_clients",
    "audience_definitions",
    "audience_evaluations",
    "audience_sources",
    "audience_templates",
    "audiences",
    "audit",
    "begun_sign_ins",
    "changes",
    "consent_policies",
    "consents",
    "conversion_schemas",
    "credentials",
    "data_keys",
    "dataflow_audiences",
    "dataflows",
    "dataset_snapshots",
    "datasets",
    "destination_servers",
    "destinations",
    "enabled_policies",
    "epochs",
    "erased_people",
    "erasure_receipts",
    "erasures",
    "executors",
    "exported_members",
    "exports",
    "groups",
    "history",
    "hour_codes",
    "lanes",
    "ledger",
    "ledger_deltas",
    "ledger_hours",
    "mapping_sets",
    "marketing_actions",
    "metadata",
    "namespace_orders",
    "namespaces",
    "organizations",
    "parked",
    "parked_codes",
    "parked_messages",
    "parked_numbers",
    "parked_people",
    "partner_audiences",
    "policies",
    "profiles",
    "publish_requests",
    "put_labels",
    "quotas",
    "rates",
    "restored_dataflows",
    "runs",
    "schedules",
    "sessions",
    "sign_in_failures",
    "sign_in_states",
    "slowed_accounts",
    "source_connections",
    "taken_requests",
    "target_connections",
    "tenants",
    "tombstones",
    "unique_values",
    "usage_labels",
    "user_roles",
    "users",
    "versions",
    "withheld_reasons",
    "workers",
]
