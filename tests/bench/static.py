"""The hot set's answers as files, and the nginx that serves them."""

import shutil
from pathlib import Path

from tests.bench.fronts import Files, Front
from tests.bench.routes import ROUTES, fetch
from tests.bench.site import Site

# In front of the other locations, so that these win. The rest of the server is the site's.
LOCATIONS = """
    location ~ ^/products/(\\d+)$ {{
        default_type "application/json; charset=utf-8";
        types {{ }}
        alias {folder}/detail/$1;
    }}
    location ~ ^/products/(\\d+)/(styles|related)$ {{
        default_type "application/json; charset=utf-8";
        types {{ }}
        alias {folder}/$2/$1;
    }}
    location ~ ^/reviews$ {{
        default_type "application/json; charset=utf-8";
        types {{ }}
        alias {folder}/reviews/$arg_product_id;
    }}
    location ~ ^/reviews/meta$ {{
        default_type "application/json; charset=utf-8";
        types {{ }}
        alias {folder}/meta/$arg_product_id;
    }}
"""


class StaticFiles:
    """What `source` answers for these products, served as files."""

    def __init__(self, site: Site, products: list[int]) -> None:
        self.folder = site.folder / "contestants" / "static" / "files"
        self.front = Front(site, "static", change=self._with_files)
        self._products = products

    def write(self, source: str) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        for route in ROUTES:
            (self.folder / route).mkdir(parents=True)
            for product_id in self._products:
                (self.folder / route / str(product_id)).write_bytes(
                    fetch(source, route, product_id)
                )
        for path in (self.folder, *self.folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)

    def _with_files(self, files: Files) -> Files:
        site = files["site.conf"]
        first = site.index("\n    location ")
        locations = LOCATIONS.format(folder=_quoted(self.folder))
        return {**files, "site.conf": site[:first] + locations + site[first:]}


def _quoted(path: Path) -> str:
    return str(path).replace(" ", "\\ ")
