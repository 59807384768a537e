"""The ten files of the legacy release and the two of people: names, columns, and which column
points where."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "product.csv": ("id", "name", "slogan", "description", "category", "default_price"),
    "features.csv": ("id", "product_id", "feature", "value"),
    "styles.csv": ("id", "productId", "name", "sale_price", "original_price", "default_style"),
    "photos.csv": ("id", "styleId", "url", "thumbnail_url"),
    "skus.csv": ("id", "styleId", "size", "quantity"),
    "related.csv": ("id", "current_product_id", "related_product_id"),
    "reviews.csv": (
        "id",
        "product_id",
        "rating",
        "date",
        "summary",
        "body",
        "recommend",
        "reported",
        "reviewer_name",
        "reviewer_email",
        "response",
        "helpfulness",
    ),
    "reviews_photos.csv": ("id", "review_id", "url"),
    "characteristics.csv": ("id", "product_id", "name"),
    "characteristic_reviews.csv": ("id", "characteristic_id", "review_id", "value"),
}
LEGACY = tuple(COLUMNS)
COLUMNS |= {
    "accounts.csv": ("userid", "ip", "subscriptionstatus"),
    "profiles.csv": (
        "profile_id",
        "tenant",
        "userid",
        "profile_type",
        "full_name",
        "email_id",
        "mobile",
        "gender",
        "birth_date",
        "address",
        "city_id",
        "country_id",
        "latitude",
        "longitude",
    ),
}

PARENTS: dict[str, tuple[str, ...]] = {
    "features.csv": ("product_id",),
    "styles.csv": ("productId",),
    "photos.csv": ("styleId",),
    "skus.csv": ("styleId",),
    "related.csv": ("current_product_id", "related_product_id"),
    "reviews.csv": ("product_id",),
    "reviews_photos.csv": ("review_id",),
    "characteristics.csv": ("product_id",),
    "characteristic_reviews.csv": ("characteristic_id", "review_id"),
}


def header(name: str) -> bytes:
    """The first line of a file, without its line end."""
    return ",".join(COLUMNS[name]).encode()
