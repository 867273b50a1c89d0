"""The one store: state, the outbox inside it, the ledger and the audit. SQL is written here and nowhere else."""
