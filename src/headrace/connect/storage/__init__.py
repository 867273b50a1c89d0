"""Where files go: one kind of storage a module, each registered by the type of its destination server."""

from headrace.connect.storage.sftp import SftpServers
from headrace.connect.storage.storage import Cause, NotStored, Storage, Stored, Way, storages

__all__ = ["Cause", "NotStored", "SftpServers", "Storage", "Stored", "Way", "storages"]
