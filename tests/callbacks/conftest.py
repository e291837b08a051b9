import pytest


@pytest.fixture(autouse=True)
def quick(eager):
    """No graphs, but where a test asks whether one sees what has changed."""
