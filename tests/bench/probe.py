"""Reads after writes while a server is loaded: is any of them older than the write?"""

import http.client
import json
import random
import secrets
import threading
import time
from contextlib import closing
from urllib.parse import urlsplit

from tests.bench.draws import Draws
from tests.bench.site import Site

PAUSE_SECONDS = 0.02
HOT_RANKS = 500


class Prober:
    """One client that votes and, as soon as the vote is acknowledged, reads the list.

    It votes on reviews that nobody else votes on, so that it knows the number to find, beside
    reviews of the same lists that the load votes on. Every other product is one of the most read.
    """

    def __init__(self, site: Site, url: str, draws: Draws) -> None:
        self.checks = self.stale = self.degraded = self.failed = self.votes = 0
        self._site = site
        self._address = urlsplit(url).netloc
        self._draws = draws
        self._hot = [rank for rank in range(HOT_RANKS) if draws.probes[rank]]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        ranks = random.Random()
        with closing(self._site.connect()) as database:
            while not self._stop.is_set():
                rank = ranks.choice(self._hot) if self.checks % 2 else self._anywhere(ranks)
                review = self._draws.probes[rank]
                row = database.execute(
                    "SELECT helpfulness FROM reviews_review WHERE id = %s", [review]
                ).fetchone()
                if row:
                    self._check(self._draws.products[rank], review, row[0])
                time.sleep(PAUSE_SECONDS)

    def _anywhere(self, ranks: random.Random) -> int:
        while True:
            rank = ranks.randrange(len(self._draws.probes))
            if self._draws.probes[rank]:
                return rank

    def _check(self, product_id: int, review_id: int, before: int) -> None:
        listing = f"/reviews?product_id={product_id}"
        try:
            # Seen before, so that an answer is stored that could be stale.
            self._ask("GET", listing)
            status, _, _ = self._ask("PUT", f"/reviews/{review_id}/helpful")
            if status != 204:
                self.failed += 1
                return
            self.votes += 1
            status, cache, body = self._ask("GET", listing)
        except (OSError, http.client.HTTPException):
            self.failed += 1
            return
        self.checks += 1
        found = {
            review["review_id"]: review["helpfulness"] for review in json.loads(body)["results"]
        }
        if found.get(review_id) == before + 1:
            return
        if cache.startswith("DEGRADED"):
            self.degraded += 1
        else:
            self.stale += 1

    def _ask(self, method: str, path: str) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection(self._address, timeout=10)
        try:
            headers = {"User-Agent": f"prober {secrets.token_hex(8)}"}
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("X-Cache-Status", ""), answer.read()
        finally:
            connection.close()
