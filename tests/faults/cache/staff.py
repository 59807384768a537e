"""A member of the staff, at work in the admin through nginx."""

import http.client
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from tests.faults.cache.site import Site


class Staff:
    def __init__(self, site: Site) -> None:
        self._port = site.stack.port
        self._cookies: SimpleCookie = SimpleCookie()
        self._send("GET", "/admin/login/")
        password = site.stack.config.text("ADMIN_PASSWORD")
        self.post("/admin/login/", username="admin", password=password, next="/admin/")
        assert "sessionid" in self._cookies

    def post(self, path: str, **fields: object) -> None:
        """Send a form; the admin answers one that it took with a redirect."""
        fields["csrfmiddlewaretoken"] = self._cookies["csrftoken"].value
        status = self._send("POST", path, urlencode(fields))
        assert status == 302, f"{path}: {status}"

    def _send(self, method: str, path: str, body: str | None = None) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        cookies = "; ".join(f"{name}={item.value}" for name, item in self._cookies.items())
        headers = {"Host": "localhost", "Cookie": cookies}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            response.read()
            for line in response.headers.get_all("Set-Cookie", []):
                self._cookies.load(line)
            return response.status
        finally:
            connection.close()
