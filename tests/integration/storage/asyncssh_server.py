"""A server of SFTP by asyncssh: ``PORT HOST_KEY AUTHORIZED_KEYS USER PASSWORD``. It serves what its own user may."""

import asyncio
import sys

import asyncssh


class Door(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return [username, password] == sys.argv[4:6]


async def serve(port: str, host_key: str, authorized: str, *_: str) -> None:
    await asyncssh.listen(
        "127.0.0.1",
        int(port),
        server_factory=Door,
        server_host_keys=[host_key],
        authorized_client_keys=authorized,
        sftp_factory=True,
        allow_scp=False,
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
