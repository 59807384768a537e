"""Settings of the site, each from the environment or `.env`; `.env.example` explains them."""

from atelier import env
from atelier.core.logging import configure as configure_logging

BASE_DIR = env.BASE_DIR

DEBUG = env.boolean("DEBUG", default=False)
SECRET_KEY = env.secret("SECRET_KEY", is_checked=not DEBUG)
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS", default="")

# TLS ends in front of nginx. Behind it, HTTPS=true closes the cookies and sends HSTS.
HTTPS = env.boolean("HTTPS", default=False)

# nginx refuses unknown hosts first; this is the second door.
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", default="localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", default="")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "simple_history",
    "procrastinate.contrib.django",
    "oauth2_provider",
    "atelier.core",
    "licensing",
    "users",
    "products",
    "reviews",
    "etl",
]

MIDDLEWARE = [
    "atelier.core.middleware.RequestIdMiddleware",
    # Public routes end here: they need nothing of what follows.
    "atelier.core.middleware.PublicRoutesMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "atelier.core.middleware.ContentSecurityMiddleware",
]

ROOT_URLCONF = "atelier.urls"
WSGI_APPLICATION = "atelier.wsgi.application"
# Routes answer with and without the slash; a redirect would cost the front end a round trip.
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Zero means no limit, which commands need; atelier.wsgi sets a limit for web workers.
STATEMENT_TIMEOUT_MS = env.integer("DATABASE_STATEMENT_TIMEOUT_MS", default=0)
LOCK_TIMEOUT_MS = env.integer("DATABASE_LOCK_TIMEOUT_MS", default=0)
# Instead of both, once a write has its scopes: an import that is published holds rows for seconds.
WRITE_TIMEOUT_MS = env.integer("DATABASE_WRITE_TIMEOUT_MS", default=0)
# Helpers that PostgreSQL may start for a query; atelier.wsgi wants none, since a request waits for
# their start longer than they help it.
PARALLEL_WORKERS = env.integer("DATABASE_PARALLEL_WORKERS", default=2, maximum=1024)

DATABASES = {
    "default": {
        **env.database("DATABASE_URL"),
        # A connection per worker for its whole life: a new one costs more than ten requests.
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            # Parameters travel apart from the statement, so that PostgreSQL can keep its plan.
            "server_side_binding": True,
            "prepare_threshold": 1,
            "connect_timeout": 2,
            "application_name": "atelier",
            "options": (
                f"-c statement_timeout={STATEMENT_TIMEOUT_MS}"
                f" -c lock_timeout={LOCK_TIMEOUT_MS}"
                f" -c max_parallel_workers_per_gather={PARALLEL_WORKERS}"
                # Compiling takes longer than any query of a request.
                " -c jit=off"
                " -c idle_in_transaction_session_timeout=60000"
            ),
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "users.User"

# The control database of Redis, never evicted; Django's own cache lives in the next number.
REDIS_URL = env.redis("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": env.redis_database(REDIS_URL, 1),
        "OPTIONS": {
            # A hung Redis must cost milliseconds: nothing true lives there.
            "SOCKET_CONNECT_TIMEOUT": 0.05,
            "SOCKET_TIMEOUT": 0.05,
            "IGNORE_EXCEPTIONS": True,
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
        },
    },
    # Beside the tags, so that one round trip reads both: see atelier.core.lookups.
    "lookup": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "lookup",
        "OPTIONS": {
            "SOCKET_CONNECT_TIMEOUT": 0.05,
            "SOCKET_TIMEOUT": 0.05,
            "IGNORE_EXCEPTIONS": True,
            "SERIALIZER": "atelier.core.lookups.TextSerializer",
        },
    },
}
# How long nginx may keep a public answer; a write makes it unreachable at once all the same.
CACHE_SECONDS = env.integer("CACHE_SECONDS", default=300)
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = True
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# The second one is for the secrets of clients, which are random and need no slow digest.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "users.hashers.SecretHasher",
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
# History is for looking at.
SIMPLE_HISTORY_REVERT_DISABLED = True

# Who may call what needs a token: see atelier.core.callers and docs/oauth.md.
CALLER_VERIFIER = "users.services.tokens.verifier"
# For development only: account and profile routes answer callers without a token.
OPEN_WITHOUT_TOKENS = env.boolean("OPEN_WITHOUT_TOKENS", default=False)
# Requests a second that each client may make, over all instances; 0 is no limit.
CLIENT_RATE = env.integer("CLIENT_RATE", default=5000)
ACCESS_TOKEN_SECONDS = env.integer("ACCESS_TOKEN_SECONDS", default=3600, minimum=60)
OAUTH2_PROVIDER_APPLICATION_MODEL = "users.Client"
OAUTH2_PROVIDER = {
    "SCOPES_BACKEND_CLASS": "users.authorization.ClientScopes",
    "OAUTH2_VALIDATOR_CLASS": "users.authorization.Validator",
    "OAUTH2_SERVER_CLASS": "users.authorization.Server",
    "CLIENT_SECRET_HASHER": "client_secret",
    "ACCESS_TOKEN_EXPIRE_SECONDS": ACCESS_TOKEN_SECONDS,
    "REFRESH_TOKEN_EXPIRE_SECONDS": 14 * 24 * 3600,
    "AUTHORIZATION_CODE_EXPIRE_SECONDS": 60,
    # A refresh token works once; used again, all that came of it is revoked.
    "ROTATE_REFRESH_TOKEN": True,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "PKCE_REQUIRED": True,
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"] if HTTPS else ["https", "http"],
    # RFC 9700: no implicit and no password grant, S256 only, tokens in headers and kept as digests.
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
}

LANGUAGE_CODE = "en-us"
USE_I18N = False
TIME_ZONE = "UTC"
# Django takes its own for English otherwise, which have no seconds.
FORMAT_MODULE_PATH = "atelier.formats"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = env.text("STATIC_ROOT", default=str(BASE_DIR / "var" / "static"))

# Pictures of profiles. Their addresses are absolute, and no request's Host has a part in them.
PUBLIC_URL = env.base_url("PUBLIC_URL", default="http://127.0.0.1:8000")
MEDIA_URL = env.base_url("MEDIA_URL", default=f"{PUBLIC_URL}media/")
MEDIA_ROOT = env.text("MEDIA_ROOT", default=str(BASE_DIR / "var" / "media"))
MEDIA_S3_BUCKET = env.text("MEDIA_S3_BUCKET", default="")
STORAGES = {
    "default": env.media_storage(
        folder=MEDIA_ROOT,
        bucket=MEDIA_S3_BUCKET,
        endpoint=env.text("MEDIA_S3_ENDPOINT", default=""),
        region=env.text("MEDIA_S3_REGION", default=""),
        access_key=env.text("MEDIA_S3_ACCESS_KEY", default=""),
        secret_key=env.text("MEDIA_S3_SECRET_KEY", default=""),
    ),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
# Probes come from inside, over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^healthz/?$", r"^readyz/?$"]
X_FRAME_OPTIONS = "DENY"

# nginx limits bodies to 1 MB; this holds where nginx is not in between.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
# Pictures are the only uploads (atelier.core.uploads), and never touch a disk on their way.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
FILE_UPLOAD_MAX_MEMORY_SIZE = 3 * 1_048_576

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "atelier.core.exception_handler.handle",
    "UNAUTHENTICATED_USER": None,
}
# What a token may do: users.models.Scope has the same.
OAUTH_SCOPES = {
    "accounts": "Sign in accounts and read them",
    "profiles:read": "Read profiles",
    "profiles:write": "Create, change and delete profiles",
    "catalogue:write": "Create, change and delete products",
    "moderation": "Moderate, answer and delete reviews",
}
TOKEN_URL = "/oauth/token"  # noqa: S105 - an address
SPECTACULAR_SETTINGS = {
    "TITLE": "atelier",
    "DESCRIPTION": "Products and reviews, on the routes of the legacy API.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {},
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer"},
            "oauth2": {
                "type": "oauth2",
                "flows": {
                    "clientCredentials": {"tokenUrl": TOKEN_URL, "scopes": OAUTH_SCOPES},
                    "authorizationCode": {
                        "authorizationUrl": "/oauth/authorize",
                        "tokenUrl": TOKEN_URL,
                        "refreshUrl": TOKEN_URL,
                        "scopes": OAUTH_SCOPES,
                    },
                },
            },
        }
    },
    "PREPROCESSING_HOOKS": ["atelier.core.schema.without_trailing_slash"],
}

# Sent as `campus` with every product, as the legacy API did; no data set carries it.
CATALOGUE_CAMPUS = env.text("CATALOGUE_CAMPUS", default="hr-atelier")

# Where a visitor is, and so what may be shown: docs/licensing.md.
GEOIP_MMDB = env.file("GEOIP_MMDB")
UNKNOWN_REGION = env.region("UNKNOWN_REGION")
# Peers on TCP whose X-Forwarded-For is nginx's; that of a Unix socket always is.
NGINX_ADDRESSES = env.addresses("NGINX_ADDRESSES")

# How a visitor is recognised: see atelier.core.visitors.
VISITOR_ID_KEY = env.text("VISITOR_ID_KEY", default="")
TOKEN_KEY = env.text("TOKEN_KEY", default="")
TOKEN_ALGORITHM = env.choice(
    "TOKEN_ALGORITHM",
    default="HS256",
    among=(
        *("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512"),
        *("PS256", "PS384", "PS512", "EdDSA"),
    ),
)
TOKEN_AUDIENCE = env.text("TOKEN_AUDIENCE", default="")

# Where logins are announced, and with what deliveries are signed: docs/deliveries.md.
CALLBACK_URL = env.text("CALLBACK_URL", default="")
DELIVERY_KEYS = env.words("DELIVERY_KEYS", default="")
DELIVERY_ALLOWED_NETWORKS = env.networks("DELIVERY_ALLOWED_NETWORKS", default="")
DELIVERIES_KEPT_DAYS = env.integer("DELIVERIES_KEPT_DAYS", default=7, minimum=1, maximum=36_500)

# Files to import are read by a process of their own from this size on: docs/etl.md.
IMPORT_APART_BYTES = env.integer("IMPORT_APART_BYTES", default=32 << 20, maximum=2**63 - 1)

PROCRASTINATE_IMPORT_PATHS = ["atelier.core.deliveries.tasks", "users.tasks"]
PROCRASTINATE_WORKER_DEFAULTS = {
    # Most of the time a job waits for a receiver.
    "concurrency": env.integer("WORKER_CONCURRENCY", default=8, minimum=1),
    # What is worth remembering of a job stands in its delivery.
    "delete_jobs": "successful",
    # Longer than a delivery takes, shorter than the supervisor waits.
    "shutdown_graceful_timeout": 20,
}

LOGGING_CONFIG = None
configure_logging(
    level=env.choice(
        "LOG_LEVEL", default="INFO", among=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    )
)

# The admin's theme. Its private API changes between releases, hence the exact pin.
UNFOLD = {
    "SITE_TITLE": "atelier",
    "SITE_HEADER": "atelier",
    "SITE_SUBHEADER": "Products and reviews",
    "SITE_SYMBOL": "checkroom",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": f"{STATIC_URL}core/favicon.svg"}
    ],
    "SITE_URL": "/docs/",
    # A row's page has no public twin.
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "SIDEBAR": {"navigation": "atelier.menu.sections"},
    "DASHBOARD_CALLBACK": "atelier.menu.merge_sections",
}
