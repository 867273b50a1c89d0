"""Where files go: one block for each kind of storage."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field

from headrace.model.block import Block, Whole, rule
from headrace.model.file_configurations import FileConfigurations
from headrace.model.problem import Problem
from headrace.model.text import TemplatedText


class S3Extension(Block):
    """What Headrace adds to a bucket of S3."""

    endpoint: TemplatedText | None = Field(
        None,
        description="Where the bucket is, `https://storage.example.com`, if it is not Amazon's but speaks as that does.",
    )
    region: TemplatedText | None = Field(
        None, description="The bucket's region, `eu-west-1`. Amazon is asked for it otherwise; others take `us-east-1`."
    )


class GoogleCloudStorageExtension(Block):
    """What Headrace adds to a bucket of Google Cloud Storage."""

    endpoint: TemplatedText | None = Field(
        None,
        description="Where the bucket is, if it is not at `https://storage.googleapis.com`; for HMAC keys alone, which "
        "are not shown to it.",
    )


class S3Destination(Block):
    """A folder in a bucket of Amazon S3, or of what speaks its language."""

    old_names: ClassVar[Mapping[str, str]] = {"bucketName": "bucket"}

    bucket: TemplatedText = Field(description="The bucket.")
    path: TemplatedText = Field(
        description="The folder in the bucket; `%SEGMENT_NAME%` and `%SEGMENT_ID%` make one for each audience."
    )
    extension: S3Extension = Field(
        default_factory=S3Extension, alias="x-headrace", description="Additions of Headrace."
    )


class SftpDestination(Block):
    """A folder of an SFTP server."""

    old_names: ClassVar[Mapping[str, str]] = {"hostname": "hostName"}

    root_directory: TemplatedText = Field(description="The folder that receives the files.")
    host_name: TemplatedText = Field(description="The server's host name.")
    port: Whole = Field(22, ge=1, le=65535, description="The server's port.")
    encryption_mode: Literal["PGP", "None"] = Field(
        "None", description="`PGP`: files are encrypted before they are sent."
    )


class AdlsGen2Destination(Block):
    """A folder of Azure Data Lake Storage Gen2."""

    path: TemplatedText = Field(description="`abfs://<file system>@<account>.dfs.core.windows.net/<folder>/`.")


class AzureBlobDestination(Block):
    """A container of Azure Blob Storage."""

    path: TemplatedText = Field(description="`https://<account>.blob.core.windows.net/`, or the folder.")
    container: TemplatedText = Field(description="The container.")


class DlzDestination(Block):
    """A folder of the landing zone, storage that the house itself has and nobody signs in to."""

    path: TemplatedText = Field(description="The folder in the landing zone.")
    use_case: Literal["dlz_destination"] = Field("dlz_destination", description="What the landing zone is used for.")
    file_configurations: FileConfigurations | None = Field(
        None, description="An older place of `fileConfigurations`, which stands beside this block now."
    )

    @rule
    def _says_what_it_is_for(self) -> Iterator[Problem]:
        if "use_case" not in self.model_fields_set:
            message = '`useCase` is missing; write `"useCase": "dlz_destination"`'
            yield Problem("missing-use-case", "/useCase", message)

    @rule
    def _holds_no_format(self) -> Iterator[Problem]:
        if self.file_configurations is not None:
            message = "`fileConfigurations` stands beside `fileBasedDlzDestination` now; move it one level up"
            yield Problem("old-place", "/fileConfigurations", message)


class GoogleCloudStorageDestination(Block):
    """A folder in a bucket of Google Cloud Storage."""

    old_names: ClassVar[Mapping[str, str]] = {"bucketName": "bucket"}

    bucket: TemplatedText = Field(description="The bucket.")
    path: TemplatedText = Field(description="The folder in the bucket.")
    extension: GoogleCloudStorageExtension = Field(
        default_factory=GoogleCloudStorageExtension, alias="x-headrace", description="Additions of Headrace."
    )
