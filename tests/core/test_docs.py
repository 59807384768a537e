"""Swagger UI from local files, and no route that needs another host."""

import re

import pytest

from atelier import docs


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_the_documentation_page_loads_nothing_from_elsewhere(client, path):
    response = client.get(path)
    assert response.status_code == 200
    page = response.content.decode()
    assert "/openapi.yaml" in page
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert loaded
    assert all(address.startswith("/static/") for address in loaded)


def test_the_openapi_file_is_served(client):
    response = client.get("/openapi.yaml")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/yaml; charset=utf-8"
    assert response.content == docs.OPENAPI_FILE.read_bytes()
    assert client.post("/openapi.yaml").status_code == 405
