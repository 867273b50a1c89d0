"""Where files go: one kind of storage a module, each registered by the type of its destination server."""

from headrace.connect.storage import adls, azure_blob, dlz, gcs, local, s3, sftp
from headrace.connect.storage.sftp import SftpServers
from headrace.connect.storage.storage import Cause, House, NotStored, Staged, Storage, Stored, Way, storages

__all__ = [
    "Cause",
    "House",
    "NotStored",
    "SftpServers",
    "Staged",
    "Storage",
    "Stored",
    "Way",
    "adls",
    "azure_blob",
    "dlz",
    "gcs",
    "local",
    "s3",
    "sftp",
    "storages",
]
