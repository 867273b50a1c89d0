"""Whoever dies between finding out and telling, or right after telling, has everybody told."""

import signal
import subprocess

import pytest

from headrace.testkit.mail import MailBox
from support import PATIENCE, Server, command, environment, eventually


@pytest.mark.parametrize(("point", "mails"), [("before_alert_commit", 1), ("after_alert_sent", 2)])
def test_a_death_on_the_way_of_an_alert_has_it_told(tmp_path, point, mails):
    with MailBox.in_thread() as box:
        given = {"egress_allow": box.url, "smtp_url": box.url, "smtp_tls": "none", "smtp_from": "us@example.com"}
        with Server(tmp_path, alert_free_megabytes="0", **given) as server:
            api = server.start()
            api.post("/alerts/subscriptions", {"alerts": ["storage-full"], "mail": "ops@example.com"})
            api.close()
            server.stop()

            lacking = {"alert_free_megabytes": str(1 << 40)}
            line = command("serve", "--port", "0", "--data-dir", str(server.data))
            key = str(tmp_path / "master.key")
            dying = environment(tmp_path, key_file=key, crash_at=f"{point}:1", **given, **lacking)
            died = subprocess.run(line, env=dying, capture_output=True, timeout=PATIENCE)
            assert died.returncode == -signal.SIGKILL
            assert len(box.messages) == mails - 1
            server.start(**lacking).close()
            eventually("it is told", lambda: len(box.messages) == mails)
            server.stop()

    assert len({mail["Message-ID"] for mail in box.messages}) == 1
