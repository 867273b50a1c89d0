"""What an account may say of encryption."""

import pytest

from headrace.model.flow import BaseConnection
from headrace.model.reading import examine

KEY = "mQENBGU="


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"encryptionAlgo": "PGPGPG", "publicKey": KEY}, []),
        ({"encryptionAlgo": "PGP/GPG", "publicKey": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBGU=\n"}, []),
        ({"encryptionAlgo": "NONE"}, []),
        ({"publicKey": KEY}, [("missing-field", "/encryption/params/encryptionAlgo")]),
        ({"encryptionAlgo": "PGPGPG"}, [("missing-field", "/encryption/params/publicKey")]),
        ({}, [("missing-field", "/encryption/params/encryptionAlgo")]),
        ({"encryptionAlgo": "PGPGPG", "publicKey": "no key!"}, [("invalid", "/encryption/params/publicKey")]),
        ({"encryptionAlgo": "RSA", "publicKey": KEY}, [("not-allowed", "/encryption/params/encryptionAlgo")]),
    ],
)
def test_an_algorithm_and_a_key_go_together(params, found):
    document = {"name": "a", "connectionSpec": {"id": "1"}, "encryption": {"params": params}}
    assert [(problem.code, problem.pointer) for problem in examine(BaseConnection, document).problems] == found
