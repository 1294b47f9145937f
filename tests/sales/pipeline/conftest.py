"""The service over a small company, as the tests of the REST face have it."""

from tests.faces.rest.conftest import api, empty, service

__all__ = ["api", "empty", "service"]
