"""``headrace partner`` shows what it receives, and no secret."""

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter

import pytest
import typer

from headrace.cli.partner import describe, read_answers, read_faults, summarize
from headrace.testkit.partner import Received


def shown(received):
    return describe(received).plain


def received(body=b"", headers=None, path="/in", query="", answered=200):
    return Received(0.0, "POST", path, query, headers or {}, body, answered)


def test_a_request_is_shown_with_what_matters():
    text = shown(
        received(b'{"b":1,"a":[2]}', {"host": "x", "content-type": "application/json", "x-id": "7"}, query="k=v")
    )

    assert text == (
        "POST /in?k=v 200\n  content-type: application/json\n  x-id: 7\n"
        '  {\n    "b": 1,\n    "a": [\n      2\n    ]\n  }\n'
    )


@pytest.mark.parametrize("name", ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"])
def test_secrets_are_masked(name):
    assert "hunter2" not in shown(received(headers={name: "hunter2"}))
    assert f"{name}: ••••" in shown(received(headers={name: "hunter2"}))


def test_long_bodies_are_shortened():
    assert shown(received(b"x\n" * 100)).endswith("… 60 more lines\n")
    assert len(shown(received(b"x" * 10_000))) < 300


@pytest.mark.parametrize("body", [b"[red]x[/]", b"[/]", b"\\[", b"[link=file:///]x"])
def test_what_is_received_is_not_taken_for_markup(body):
    assert body.decode() in shown(received(body))


def test_what_is_received_does_not_steer_the_terminal():
    assert "\x1b" not in shown(received(b"\x1b]0;evil\x07", {"x": "\x1b[2J"}, path="/\x1b[31m"))


def test_a_request_without_an_answer_says_so():
    assert shown(received(answered=None)).startswith("POST /in no answer")


@pytest.mark.parametrize(("text", "expected"), [("", []), ("503,400,200", [503, 400, 200]), (" 429 , ", [429])])
def test_answers_are_read(text, expected):
    assert read_answers(text) == expected


@pytest.mark.parametrize("text", ["x", "99", "600", "200;300", "-200", "²00"])
def test_an_answer_that_is_no_status_is_refused_with_the_right_form(text):
    with pytest.raises(typer.BadParameter, match="503,400,200"):
        read_answers(text)


@pytest.mark.parametrize(
    ("statuses", "line"),
    [
        ({}, "0 requests"),
        ({200: 1}, "1 request: 1 x 200"),
        ({200: 2, 503: 1, None: 1}, "4 requests: 2 x 200, 1 x 503, 1 x no answer"),
    ],
)
def test_the_summary_is_one_line(statuses, line):
    assert summarize(Counter(statuses)) == line


def test_the_command_runs_until_it_is_stopped():
    code = "import typer; from headrace.cli.partner import partner; typer.run(partner)"
    with subprocess.Popen(
        [sys.executable, "-c", code, "--port", "0", "--answers", "503", "--token", "t0ken"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    ) as process:
        url = re.search(r"http://\S+", process.stdout.readline())[0]
        for token, status in [("wrong", 401), ("t0ken", 503)]:
            request = urllib.request.Request(url + "in", b'{"a":1}', {"Authorization": f"Bearer {token}"})
            with pytest.raises(urllib.error.HTTPError, match=str(status)) as answer:
                urllib.request.urlopen(request, timeout=10)
            answer.value.close()
        process.send_signal(signal.SIGINT)
        output = process.stdout.read()

    assert process.returncode == 0
    assert "POST /in 401" in output
    assert '"a": 1' in output
    assert "t0ken" not in output
    assert output.rstrip().endswith("2 requests: 1 x 401, 1 x 503")


def test_a_connection_may_have_a_fault():
    process = subprocess.Popen(
        [sys.executable, "-m", "headrace", "partner", "--port", "0", "--fault", "back.cut after=0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
    )
    with process:
        url = re.search(r"http://\S+/", process.stdout.readline())[0]
        with pytest.raises(OSError, match="without response"):
            urllib.request.urlopen(url, data=b"x", timeout=5)
        process.send_signal(signal.SIGTERM)
        assert "1 request: 1 x 200" in process.stdout.read()


def test_a_fault_that_is_none_is_refused_with_what_can_be_written():
    with pytest.raises(typer.BadParameter, match="these are: latency, bandwidth"):
        read_faults(["back.lag"])
