"""Whoever dies between finding out and telling, or right after telling, has everybody told."""

import signal

from headrace.testkit.mail import MailBox
from support import Server, eventually


def test_a_death_on_the_way_of_an_alert_has_it_told(tmp_path):
    with MailBox.in_thread() as box:
        given = {"egress_allow": box.url, "smtp_url": box.url, "smtp_tls": "none", "smtp_from": "us@example.com"}
        with Server(tmp_path, alert_free_megabytes="0", **given) as server:
            api = server.start()
            api.post("/alerts/subscriptions", {"alerts": ["storage-full"], "mail": "ops@example.com"})
            api.close()
            server.stop()

            lacking = {"alert_free_megabytes": str(1 << 40)}
            for point, mails in (("before_alert_commit", 0), ("after_alert_sent", 1)):
                assert server.start_to_end(crash_at=f"{point}:1", **lacking) == -signal.SIGKILL
                assert len(box.messages) == mails
            server.start(**lacking).close()
            eventually("it is told", lambda: len(box.messages) == 2)
            server.stop()

    assert len({mail["Message-ID"] for mail in box.messages}) == 1
