"""The examples of the language: every file is a template with its data and the exact text, or the refusal."""

import json
from pathlib import Path
from typing import Any

import pytest

from headrace import template

HERE = Path(__file__).parent
EXAMPLES = sorted(HERE.glob("[A-Z][0-9][0-9].json"))
REFUSALS = json.loads((HERE / "refusals.json").read_text())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_renders_to_the_byte_or_is_refused(path: Path) -> None:
    example: dict[str, Any] = json.loads(path.read_text())
    if "error" in example:
        with pytest.raises((template.TemplateSyntaxError, template.TemplateError)) as caught:
            template.compile(example["template"]).render(example["context"])
        assert isinstance(caught.value, template.TemplateSyntaxError) is (example["error"]["when"] == "parse")
        assert example["error"].get("message", "") in caught.value.message
    else:
        assert template.compile(example["template"]).render(example["context"]) == example["expected"]


@pytest.mark.parametrize("case", REFUSALS["parse"], ids=lambda case: case["template"])
def test_a_template_that_is_not_the_language_is_refused_when_it_is_compiled(case: dict[str, str]) -> None:
    with pytest.raises(template.TemplateSyntaxError) as caught:
        template.compile(case["template"])
    assert case["reason"] in caught.value.problems[0].message


@pytest.mark.parametrize("case", REFUSALS["render"], ids=lambda case: case["template"])
def test_an_operation_that_does_not_fit_the_data_is_refused_when_it_is_rendered(case: dict[str, str]) -> None:
    compiled = template.compile(case["template"])

    with pytest.raises(template.TemplateError) as caught:
        compiled.render({})
    assert case["reason"] in caught.value.message
    assert "<template>:1:" in caught.value.message
