"""Fixtures: one server for the run, as it began for each test."""

import pytest

from portcullis_testkit import Testkit


@pytest.fixture(scope="session")
def testkit_server():
    kit = Testkit.start()
    yield kit
    kit.stop()


@pytest.fixture
def kit(testkit_server):
    """A server that knows nobody and breaks nowhere."""
    testkit_server.reset()
    return testkit_server


@pytest.fixture
def user(kit):
    """Someone with an account."""
    return kit.verified_user()


@pytest.fixture
def session(kit, user):
    """The same, logged in."""
    return kit.login(user)
