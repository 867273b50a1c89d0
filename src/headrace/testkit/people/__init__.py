"""
The generator of people who do not exist: words that are checked in, and SQL that puts people together from them.

``luck.sql`` has what is random, ``profiles.sql``, ``accounts.sql`` and ``prospects.sql`` what a record is made of;
:mod:`making <headrace.testkit.people.making>` runs them.
"""
