"""Passwords: argon2id, in threads of their own, so that nobody else waits for one that is being checked."""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from headrace.model.access import LONGEST_PASSWORD
from headrace.model.problem import ConfigurationError, Problem

SHORTEST = 12

#: Each takes 64 MiB and a processor while it is under way; more wait for their turn.
AT_A_TIME = 2


class Passwords:
    """Hashes and checks passwords. One for a process."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="passwords")
        self._of_nobody = self._threads.submit(self._hasher.hash, secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """Return what is kept of a password."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Say whether a password is the right one. Without a hash it never is, and that takes as long to say."""
        known = password_hash if password_hash is not None else await asyncio.wrap_future(self._of_nobody)
        is_right = await asyncio.get_running_loop().run_in_executor(self._threads, self._verify, known, password)
        return is_right and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Say whether a hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False


def new_password() -> str:
    """Make a password for somebody who will choose another."""
    return secrets.token_urlsafe(15)


def refuse_bad(password: str, email: str, where: str) -> None:
    """
    Refuse a password that is too easy to guess.

    Raises:
        ConfigurationError: naming the rule, and ``where`` the password stood.
    """
    if len(password) < SHORTEST:
        raise _bad(where, f"a password has at least {SHORTEST} characters")
    if len(password.encode("utf-8", "surrogatepass")) > LONGEST_PASSWORD:
        raise _bad(where, f"a password has at most {LONGEST_PASSWORD} bytes")
    if password.casefold() == email:
        raise _bad(where, "the e-mail address is no password")


def _bad(where: str, message: str) -> ConfigurationError:
    return ConfigurationError([Problem("bad-password", where, message)])
