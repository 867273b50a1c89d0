"""The outside world: the only room that opens a connection, and the only one that holds secrets."""
