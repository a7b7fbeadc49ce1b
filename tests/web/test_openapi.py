"""The OpenAPI document against the gateway: requests made from it, and requests it forbids, by schemathesis.

It is no part of the lock: `pip install schemathesis` runs these tests.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

schemathesis = pytest.importorskip("schemathesis")
REQUESTS = 15


def cases(document: dict[str, Any], *, good: bool) -> list[Any]:
    """Requests for each operation that has a body, `good` ones or others."""
    mode = schemathesis.GenerationMode.POSITIVE if good else schemathesis.GenerationMode.NEGATIVE
    found: list[Any] = []
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = result.ok()
        if operation.method.upper() == "POST":
            quiet = settings(
                max_examples=REQUESTS, database=None, derandomize=True, deadline=None,
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            quiet(given(operation.as_strategy(generation_mode=mode))(lambda case: found.append(case)))()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("good", [True, False])
async def test_what_the_document_says_and_what_it_forbids_is_answered_in_words(door: Any, good: bool) -> None:
    document = (await door.ask("GET", "/openapi.json")).json
    asked = cases(document, good=good)
    assert len(asked) >= REQUESTS
    for case in asked:
        if isinstance(case.body, bytes | dict | list | str | int | float | bool | None):
            reply = await door.ask(case.method, case.formatted_path, case.body)
            assert reply.status < 500, (case.formatted_path, case.body, reply.body)
            assert reply.status == 200 or reply.json["error"]
