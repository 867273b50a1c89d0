"""What is sent to say who may do what: organizations, sandboxes, users, API clients."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import AfterValidator, AwareDatetime, Field, SecretStr

from headrace.model.block import Block, Flag, rule
from headrace.model.problem import Problem
from headrace.model.roles import PermissionName, RoleName

SandboxName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]

#: In bytes of UTF-8. Longer passwords add nothing, and a limit keeps what is hashed small.
LONGEST_PASSWORD = 1024

#: What is shown to people holds no control characters, which would do things to a terminal.
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Email = Annotated[
    str, Field(max_length=254, pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$"), AfterValidator(str.casefold)
]
Password = Annotated[SecretStr, Field(max_length=LONGEST_PASSWORD)]


class NewSandbox(Block):
    """A sandbox: what is declared in one is not seen in another."""

    name: SandboxName = Field(description="Its name: lower-case letters, digits and hyphens.")


class NewOrganization(Block):
    """An organization with its first sandbox."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$",
        description="Its name, as `x-gw-ims-org-id` has it: letters, digits and `.`, `_`, `@`, `-`.",
    )
    sandbox: SandboxName = Field("prod", description="The name of its first sandbox.")


class ClientSettings(Block):
    """What an API client may do, where, and until when."""

    ignored: ClassVar[frozenset[str]] = frozenset({"clientId", "createdAt", "createdBy", "lastUsedAt", "revokedAt"})

    name: Name = Field(description="What it is for.")
    permissions: tuple[PermissionName, ...] | None = Field(None, description="What it may do; or `role`.")
    role: RoleName | None = Field(None, description="A role, whose permissions it gets; or `permissions`.")
    sandboxes: tuple[SandboxName, ...] | None = Field(
        None, min_length=1, description="The sandboxes it may work in; without it, all, also those to come."
    )
    expires_at: AwareDatetime | None = Field(None, description="When it ends; without it, never.")

    @rule
    def _one_of_the_two(self) -> Iterator[Problem]:
        if (self.permissions is None) == (self.role is None):
            yield Problem("one-of-two", "/permissions", "say either `permissions` or `role`")


class GivenRole(Block):
    """A role, in one sandbox or in all."""

    role: RoleName = Field(description="The role.")
    sandbox: SandboxName | None = Field(None, description="The sandbox; without it, all, also those to come.")


class UserSettings(Block):
    """A user of the organization."""

    ignored: ClassVar[frozenset[str]] = frozenset({"id", "createdAt", "modifiedAt", "etag"})

    email: Email = Field(description="The e-mail address to sign in with.")
    name: Name = Field(description="Their name.")
    roles: tuple[GivenRole, ...] = Field((), description="Their roles.")
    disabled: Flag = Field(False, description="Whether they are kept from signing in.")


class NewUser(UserSettings):
    """A user who is not there yet."""

    password: Password | None = Field(
        None, description="The first password; without it, one is made and shown in the answer, once."
    )


class PasswordReset(Block):
    """A new password for somebody else."""

    password: Password | None = Field(
        None, description="The password; without it, one is made and shown in the answer, once."
    )


class PasswordChange(Block):
    """A new password of one's own."""

    old_password: Password = Field(description="The password until now.")
    new_password: Password = Field(description="The password from now on.")


class SignIn(Block):
    """What a user signs in with."""

    email: Email = Field(description="The e-mail address.")
    password: Password = Field(description="The password.")
