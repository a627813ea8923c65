"""Heads for the tests: the packaged one, and ICT-FaceKit's where somebody has it."""

import os

import pytest

from facskit.synthesis.head import MorphableHead, load_head
from facskit.synthesis.head_import import find_head


@pytest.fixture(scope="session")
def packaged_head() -> MorphableHead:
    return load_head()


@pytest.fixture(scope="session")
def ict_head() -> MorphableHead:
    source = os.environ.get("FACSKIT_ICT_HEAD")
    if source is None:
        pytest.skip("ICT-FaceKit's head doesn't ship; set FACSKIT_ICT_HEAD to a clone or a .npz")
    return find_head(source)


@pytest.fixture(scope="session", params=["packaged", "ict"])
def any_head(request: pytest.FixtureRequest) -> MorphableHead:
    head: MorphableHead = request.getfixturevalue(f"{request.param}_head")
    return head
