"""What an author might write better is found in the author's own texts, and only there."""

import pytest

from headrace.services.documentation.page import page

COMPLETE = {"contact": "us@example.com", "useCases": [{"title": "Greet", "text": "A shop greets its guests."}]}


def warnings(**words):
    destination = {"name": "Acme", "x-headrace": {"documentation": {**COMPLETE, **words}}, "batchConfig": {"a": 1}}
    return list(page(destination, None).warnings)


def test_good_texts_are_not_warned_of():
    text = "Ask for a key. Then open **Manage Destinations**.\n\n* Write `please`.\n* See [it](https://please.example/maybe)."

    assert warnings(prerequisites=text) == []


TEXTS = {
    "a long sentence": (" ".join(["word"] * 30) + ".", "a sentence of 30 words"),
    "many commas": ("One, two, three, four, five.", "a sentence with 4 commas"),
    "please": ("Please enter it.", "“Please”: say what to do"),
    "kindly": ("Enter it kindly.", "“kindly”"),
    "a guess": ("It probably works.", "“probably”: say what is so"),
    "an observation": ("We noticed that it works.", "“We noticed”"),
    "a label": ("You need Manage Destinations.", "write **Manage Destinations**"),
    "an instruction in italics": ("*Insert your steps here.*", "left over"),
    "another": ("_describe the product_", "left over"),
    "a placeholder": ("Sign in at YOURDESTINATION.", "left over"),
}


@pytest.mark.parametrize(("text", "says"), TEXTS.values(), ids=TEXTS)
def test_what_breaks_a_rule_is_told_with_its_place(text, says):
    (warning,) = warnings(prerequisites=text)

    assert warning.startswith("documentation.prerequisites: ")
    assert says in warning


def test_texts_deep_inside_are_read_too():
    cases = [{"title": "Greet", "text": "Please greet."}]

    assert warnings(useCases=cases) == ["documentation.useCases[0].text: “Please”: say what to do, without it"]


def test_what_every_page_needs_is_missed():
    assert [warning.partition(":")[0] for warning in warnings(contact="", useCases=[])] == [
        "documentation.useCases is missing", "documentation.contact is missing",
    ]  # fmt: skip


PICTURES = {
    "no PNG": ("acme-sign-in.jpg", "such as acme-sign-in.png"),
    "a number": ("acme-sign-in-2.png", "no numbers"),
    "not of this destination": ("sign-in.png", "such as acme-"),
    "upper case": ("Acme.png", "lower-case"),
}


@pytest.mark.parametrize(("file", "says"), PICTURES.values(), ids=PICTURES)
def test_pictures_have_names_that_say_what_they_are(file, says):
    shots = {"signIn": {"file": f"assets/{file}", "text": "The form for signing in at Acme."}}

    (warning,) = warnings(screenshots=shots)

    assert says in warning


def test_pictures_are_described():
    shots = {"authenticate": {"file": "acme-sign-in.png", "text": "The form"}}

    assert "describe the picture" in warnings(screenshots=shots)[0]
