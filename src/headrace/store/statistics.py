"""
What SQLite's planner is told about the tables, once and for all.

Without figures it reads every lane of a sandbox to find the hundred of a group, because the tables are small when it is
first asked. These are the proportions of a store with a million people; ``ANALYZE`` is never run, so a plan does not
change under load.
"""

from sqlalchemy import Connection

#: Table, index, and how many rows there are in all and for each longer prefix of the index.
_PROPORTIONS = (
    ("lanes", "lanes", "1000000 1000000 200000 2 1 1"),
    ("lanes", "lanes_due", "200000 200000 40000 2000 10"),
    ("lanes", "lanes_claimed", "5000 5000 50"),
    ("changes", "changes", "1000000 1000000 200000 2 1 1"),
    ("groups", "sqlite_autoindex_groups_1", "500 500 1"),
    ("groups", "groups_of_dataflow", "500 500 100 5"),
    ("groups", "groups_by_age", "500 500 100 5"),
    ("profiles", "sqlite_autoindex_profiles_1", "1000000 1000000 1"),
    ("profiles", "sqlite_autoindex_profiles_2", "1000000 1000000 1"),
    ("profiles", "profiles_by_sequence", "1000000 1000000 1"),
    ("profiles", "profiles_by_expiry", "1000000 1000000 2"),
    ("parked", "parked_of_profile", "1000 1000 2"),
    ("parked", "parked", "1000 1000 200 1"),
    ("parked", "parked_by_code", "1000 1000 200 100 1"),
    ("parked", "parked_of_message", "1000 1000 200 2"),
    ("parked_messages", "sqlite_autoindex_parked_messages_1", "500 500 100 1"),
    ("parked_messages", "sqlite_autoindex_parked_messages_2", "500 500 100 1"),
    ("parked_people", "parked_people", "5000 5000 1000 50 1"),
    ("parked_people", "parked_people_of_profile", "5000 5000 2"),
)


def pin(connection: Connection) -> None:
    """Write the proportions where SQLite looks for them; other databases measure for themselves."""
    if connection.dialect.name != "sqlite":
        return
    connection.exec_driver_sql("ANALYZE sqlite_schema")
    connection.exec_driver_sql("DELETE FROM sqlite_stat1")
    for row in _PROPORTIONS:
        connection.exec_driver_sql("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", row)
    connection.exec_driver_sql("ANALYZE sqlite_schema")
