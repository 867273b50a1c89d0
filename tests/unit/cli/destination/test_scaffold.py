"""What ``new`` writes is valid at once, for every kind of destination that is read here."""

import re
from typing import get_args

import pytest

from headrace.cli.destination.folder import read_folder
from headrace.cli.destination.scaffold import Kind, SignIn, new_folder
from headrace.model.destination import CustomerAuthentication
from headrace.model.destination_server import DestinationServer
from unit.cli.destination.making import found, write

NAMES = ["Acme", 'Müller & "Söhne": Listen', "42", "no", "%s {0} {{ x }}"]
#: What the model reads; a kind of destination beyond that would be refused for its type alone.
READ = {
    *get_args(DestinationServer.model_fields["destination_server_type"].annotation),
    *get_args(CustomerAuthentication.model_fields["auth_type"].annotation),
}
CHOICES = [(Kind.streaming, sign_in) for sign_in in SignIn] + [
    (kind, SignIn.bearer) for kind in Kind if kind is not Kind.streaming
]


def is_read_here(kind, sign_in):
    """Whether the model knows the types that the folder declares."""
    text = "".join(new_folder("x", kind, sign_in).values())
    return set(re.findall(r"(?:authType|destinationServerType): (\w+)", text)) <= READ


@pytest.mark.parametrize(
    ("kind", "sign_in"), [pytest.param(*one, id="-".join(one)) for one in CHOICES if is_read_here(*one)]
)
@pytest.mark.parametrize("name", NAMES)
def test_a_new_folder_is_valid_at_once(tmp_path, kind, sign_in, name):
    write(tmp_path, new_folder(name, kind, sign_in))

    assert found(tmp_path) == []


@pytest.mark.parametrize(("kind", "sign_in"), CHOICES, ids="-".join)
def test_every_new_folder_can_be_read_and_says_its_name(tmp_path, kind, sign_in):
    write(tmp_path, new_folder("no", kind, sign_in))

    folder = read_folder(tmp_path)

    assert folder.findings == []
    assert folder.objects["destination"].document["name"] == "no"
    assert folder.objects["servers/no"].document["destinationServerType"]
