"""What the tests of the explorers that live in the page share."""

import pytest
from browser import chromium_browser


@pytest.fixture(scope="module")
def browser(chromium):
    with chromium_browser(chromium) as browser:
        yield browser
