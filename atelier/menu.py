"""The menu of the admin: what the signed-in person may look at, under the words staff use."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

# Section, then title, icon, model and query of each entry.
MENU: dict[str, list[tuple[str, str, str, str]]] = {
    "Catalogue": [
        ("Products", "checkroom", "products.product", ""),
        ("Styles", "palette", "products.style", ""),
    ],
    "Reviews": [
        ("Awaiting moderation", "flag", "reviews.review", "awaiting=yes"),
        ("Reviews", "reviews", "reviews.review", ""),
        ("Characteristics", "tune", "reviews.characteristic", ""),
        ("Ratings by product", "bar_chart", "reviews.reviewmeta", ""),
    ],
    "Licensing": [
        ("Licences", "gavel", "licensing.productlicence", ""),
        ("Network overrides", "lan", "licensing.networkoverride", ""),
        ("Address tables", "dns", "licensing.rangesource", ""),
        ("Regions", "public", "licensing.region", ""),
        ("Groups of regions", "join_inner", "licensing.regiongroup", ""),
    ],
    "Accounts and access": [
        ("Accounts", "badge", "users.account", ""),
        ("Profiles", "contacts", "users.profile", ""),
        ("Users", "person", "users.user", ""),
        ("Groups", "group", "auth.group", ""),
        ("Tenants", "domain", "users.tenant", ""),
        ("Clients", "key", "users.client", ""),
        ("Access tokens", "vpn_key", "oauth2_provider.accesstoken", ""),
    ],
    "Operation": [
        ("Import runs", "upload_file", "etl.importrun", ""),
        ("Deliveries", "outbox", "core.delivery", ""),
    ],
}


def sections(request: HttpRequest) -> list[dict[str, Any]]:
    """As unfold's setting SIDEBAR.navigation wants it."""
    found = [
        {
            "title": title,
            "items": [_item(request, *entry) for entry in entries if _may_view(request, entry[2])],
        }
        for title, entries in MENU.items()
    ]
    return [section for section in found if section["items"]]


def merge_sections(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """As unfold's setting DASHBOARD_CALLBACK wants it: apps of one name are one section."""
    merged: dict[str, dict[str, Any]] = {}
    for app in context.get("app_list", ()):
        section = merged.setdefault(app["name"], {**app, "models": []})
        section["models"] = sorted(section["models"] + app["models"], key=lambda each: each["name"])
    return {**context, "app_list": list(merged.values())}


def _item(request: HttpRequest, title: str, icon: str, model: str, query: str) -> dict[str, Any]:
    path = reverse(f"admin:{model.replace('.', '_')}_changelist")
    active = request.path.startswith(path) and ("awaiting" in request.GET) == bool(query)
    return {
        "title": title,
        "icon": icon,
        "link": f"{path}?{query}" if query else path,
        "active": active,
    }


def _may_view(request: HttpRequest, model: str) -> bool:
    app, name = model.split(".")
    return any(request.user.has_perm(f"{app}.{verb}_{name}") for verb in ("view", "change"))
