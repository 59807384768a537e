"""Who is measured: the site with and without its cache, the peers, and static files."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from stack import probes
from tests.bench import node
from tests.bench.draws import Draws
from tests.bench.fronts import Front
from tests.bench.routes import compare
from tests.bench.site import Say, Site
from tests.bench.static import StaticFiles

HOT_PRODUCTS = 200
PEERS = ("express", "express-tuned", "fastify")
# The order in which they are shown.
COMPONENTS = ("nginx", "servers", "postgres", "redis", "keeper", "load generator", "prober")
TITLES = {
    "atelier": "atelier, exact cache",
    "atelier-uncached": "atelier, nothing cached",
    "express": "Express",
    "express-tuned": "Express, tuned",
    "fastify": "Fastify, tuned",
    "static": "static files",
}


@dataclass(frozen=True)
class Contestant:
    """A server to load. `components` answers the process ids at work for it, by component."""

    name: str
    url: str
    components: Callable[[], Mapping[str, Iterable[int]]]
    metrics: Path | None = None

    @property
    def title(self) -> str:
        return TITLES[self.name]


class Field:
    """All contestants of one sitting, on one database; started when first asked for."""

    def __init__(self, site: Site, draws: Draws, say: Say) -> None:
        self._site = site
        self._draws = draws
        self._say = say
        self._running = ExitStack()
        self._started: dict[str, Contestant] = {}

    def __enter__(self) -> "Field":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running.close()

    def get(self, names: Iterable[str]) -> list[Contestant]:
        """The named ones, running. A peer is let in only if it answers as the site does."""
        missing = [name for name in names if name not in self._started]
        for name in missing:
            self._say(f"starting {TITLES[name]}")
            self._started[name] = self._start(name)
        peers = {name: self._started[name].url for name in missing if name != "static"}
        if peers:
            compared = compare(self._site.url, peers, list(self._draws.products))
            self._say(f"{compared} answers compared with the site's: all alike")
        return [self._started[name] for name in names]

    def _start(self, name: str) -> Contestant:
        if name == "atelier":
            pids = self._site_pids
            return Contestant(name, self._site.url, pids, self._site.metrics_socket)
        if name == "static":
            hot = list(self._draws.products[:HOT_PRODUCTS])
            files = StaticFiles(self._site, hot)
            files.write(self._site.url)
            return self._behind(name, files.front, list)
        if name in PEERS:
            peer = node.Peer(self._site, name, node.install(self._site.folder, self._say))
            self._running.callback(peer.stop)
            peer.start()
            return self._contestant(name, peer.front, lambda: peer.pids)
        front = Front(self._site, name, sockets=self._site.config.web_sockets)
        return self._behind(name, front, self._instances)

    def _behind(self, name: str, front: Front, servers: Callable[[], list[int]]) -> Contestant:
        self._running.callback(front.stop)
        front.start()
        return self._contestant(name, front, servers)

    def _contestant(self, name: str, front: Front, servers: Callable[[], list[int]]) -> Contestant:
        def components() -> Mapping[str, Iterable[int]]:
            return {**self._site_pids(), "nginx": front.pids, "servers": servers()}

        return Contestant(name, probes.base_url(front.config), components)

    def _site_pids(self) -> dict[str, list[int]]:
        """The storage is everybody's; of the rest, what is not at work for one uses nothing."""
        running = self._site.stack.client.processes()
        pids = {name: [info["pid"]] for name, info in running.items() if info["pid"]}
        storage = {name: pids.get(name, []) for name in ("nginx", "postgres", "redis", "keeper")}
        return {**storage, "servers": self._instances()}

    def _instances(self) -> list[int]:
        running = self._site.stack.client.processes()
        return [running[name]["pid"] for name in self._site.config.instances]
