"""
Every table, and whether it holds anything of a person: what an erasure must reach.

A person here is one of the profiles. Users and API clients are people who work with Headrace, and not meant.
"""

#: Tables that hold something of people, and how an erasure removes it.
HOLDING: dict[str, str] = {
    "profiles": "the person's row is removed",
    "lanes": "removed at once, or once the partner that knows the person has acknowledged the exit",
    "changes": "what waits is withheld; numbers alone",
    "parked": "withheld, with the reason",
    "groups": "reasons in our own words, which hold nothing of a person; they go with their lanes",
    "taken_requests": "words of rejections that hold a text of the person's are replaced, and keys with one forgotten",
    "runs": "so are those in the progress of loads, and reasons",
    "dataset_snapshots": "so are those of bad rows; copies of what databases answered are removed",
    "audience_evaluations": "so are those of rows, and reasons; members are taken out of lists in files",
    "erasures": "whom it is of is forgotten once they are removed",
    "tombstones": "keyed hashes, which nobody reads without the key, and which keep the person out",
    "erased_people": "the number that the person had, which says nothing by itself",
    "erasure_receipts": "so do these",
    "history": "numbers of people, which name nobody once the row in profiles is removed and are not given again, and "
    "ids of messages, which the partner knows too; rows go after HEADRACE_HISTORY_DAYS",
}
#: Tables that hold nothing of people.
FREE: frozenset[str] = frozenset(
    {
        "access_tokens",
        "accounts",
        "api_clients",
        "audience_definitions",
        "audience_sources",
        "audience_templates",
        "audiences",
        "audit",
        "begun_sign_ins",
        "consent_policies",
        "consents",
        "conversion_schemas",
        "credentials",
        "data_keys",
        "dataflow_audiences",
        "dataflows",
        "datasets",
        "destination_servers",
        "destinations",
        "enabled_policies",
        "epochs",
        "executors",
        "hour_codes",
        "ledger",
        "ledger_deltas",
        "ledger_hours",
        "mapping_sets",
        "marketing_actions",
        "namespace_orders",
        "namespaces",
        "organizations",
        "parked_codes",
        "partner_audiences",
        "policies",
        "publish_requests",
        "put_labels",
        "schedules",
        "sessions",
        "sign_in_failures",
        "sign_in_states",
        "source_connections",
        "target_connections",
        "tenants",
        "unique_values",
        "usage_labels",
        "user_roles",
        "users",
        "versions",
        "withheld_reasons",
    }
)
