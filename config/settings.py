"""Settings of Credits. The environment is read here, and before Django is there by its neighbors.

Two environments: `local` (the default, for `make run` and tests: nothing needs to be set)
and `production` (nothing is guessed: whatever is missing is named at start). Every variable is
explained in `.env.example`; each can also be read from a file named by `<VARIABLE>_FILE`.
"""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import SELF
from django.core.exceptions import ImproperlyConfigured

from config import admin_site, csp, logs
from config.embedded import running_addresses
from config.environment import BASE_DIR, VAR_DIR, env
from config.processes import write_private
from topups.money import CURRENCIES

ENVIRONMENT = env.str("ENVIRONMENT", "local")
if ENVIRONMENT not in ("local", "production"):
    raise ImproperlyConfigured(
        f"ENVIRONMENT is {ENVIRONMENT!r}; it must be 'local' or 'production'."
    )
PRODUCTION = ENVIRONMENT == "production"


def _require_in_production(*names: str) -> None:
    missing = [name for name in names if not env.str(name, "")]
    if PRODUCTION and missing:
        raise ImproperlyConfigured(
            f"ENVIRONMENT=production needs {', '.join(missing)}. .env.example explains each."
        )


# Without a Stripe key the sandbox takes pretended payments, so production insists on a real one.
_require_in_production(
    "SECRET_KEY",
    "BASE_URL",
    "DATABASE_URL",
    "REDIS_URL",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "EMAIL_URL",
)


def _integer(name: str, default: int, *, at_least: int, at_most: int) -> int:
    text = env.str(name, str(default)).strip()
    if not text.isdecimal() or not at_least <= int(text) <= at_most:
        raise ImproperlyConfigured(f"{name} is {text!r}; it must be {at_least} to {at_most}.")
    return int(text)


def _boolean(name: str, default: bool) -> bool:
    text = env.str(name, str(default)).strip().lower()
    if text not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
        raise ImproperlyConfigured(f"{name} is {text!r}; it must be true or false.")
    return text in ("true", "1", "yes", "on")


def _address(name: str, text: str, *, schemes: tuple[str, ...], example: str) -> str:
    """An address as it was given; refused without being repeated, since it holds a password."""
    try:
        parts = urlsplit(text)
        is_sane = parts.scheme in schemes and bool(parts.netloc) and parts.port != 0
    except ValueError:
        is_sane = False
    if not is_sane:
        raise ImproperlyConfigured(f"{name} can't be understood; it must be like {example}.")
    return text


def _local_secret_key() -> str:
    """A secret key of this checkout's own, made once, so that sessions outlive a restart."""
    path = VAR_DIR / "secret_key"
    if not path.exists() or not path.stat().st_size:
        _make_secret_key(path)
    return path.read_text()


def _make_secret_key(path: Path) -> None:
    """Write the key if nobody else does so meanwhile; of several processes the first one wins."""
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    write_private(draft, secrets.token_urlsafe(50))
    if path.exists() and not path.stat().st_size:
        path.unlink(missing_ok=True)
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


# --- Where we are -------------------------------------------------------------------------------

PORT = _integer("PORT", 8000, at_least=1, at_most=65535)
LISTEN_HOST = env.str("LISTEN_HOST", "127.0.0.1")
WEB_WORKERS = _integer("WEB_WORKERS", 2, at_least=1, at_most=256)
WEB_THREADS = _integer("WEB_THREADS", 8, at_least=1, at_most=256)
BASE_URL = env.str("BASE_URL", f"http://127.0.0.1:{PORT}").rstrip("/")
if urlsplit(BASE_URL).scheme not in ("http", "https") or not urlsplit(BASE_URL).hostname:
    raise ImproperlyConfigured(f"BASE_URL is {BASE_URL!r}; it must be like https://host.")

SECRET_KEY = env.str("SECRET_KEY", "") or _local_secret_key()
DEBUG = _boolean("DEBUG", False)
# The last two are for the health check of the process itself.
ALLOWED_HOSTS = [
    *env.list("ALLOWED_HOSTS", default=[urlsplit(BASE_URL).hostname]),
    "localhost",
    "127.0.0.1",
]
CSRF_TRUSTED_ORIGINS = [BASE_URL]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

# --- Stripe -------------------------------------------------------------------------------------

STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", "")
if bool(STRIPE_SECRET_KEY) != bool(STRIPE_WEBHOOK_SECRET):
    raise ImproperlyConfigured("Set STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET together.")
STRIPE_API_VERSION = "2026-10-28.endive"
STRIPE_TIMEOUT_SECONDS = 20
# Stripe computes tax where it knows how (https://docs.stripe.com/tax/set-up) and adds it.
STRIPE_AUTOMATIC_TAX = _boolean("STRIPE_AUTOMATIC_TAX", False)
# The sandbox stands in for Stripe exactly when no key is set.
STRIPE_SANDBOX = not STRIPE_SECRET_KEY
STRIPE_API_BASE = "https://api.stripe.com"
STRIPE_CHECKOUT_ORIGIN = "https://checkout.stripe.com"
if STRIPE_SANDBOX:
    STRIPE_SECRET_KEY = "sk_test_sandbox"
    STRIPE_WEBHOOK_SECRET = f"whsec_{SECRET_KEY[:32]}"
    STRIPE_API_BASE = f"{BASE_URL}/sandbox"

# --- The program --------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_celery_beat",
    "pgtrigger",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "credits",
    "topups",
]
if STRIPE_SANDBOX:
    INSTALLED_APPS.append("topups.sandbox")
# Sample extensions that spend a member's real credits: for trying things out.
PLAYGROUND = _boolean("PLAYGROUND", not PRODUCTION)
if PLAYGROUND:
    INSTALLED_APPS.append("credits.playground")

MIDDLEWARE = [
    "config.observability.RequestIdMiddleware",
    "config.csp.PolicyMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "credits.staff_sessions.StaffSessionsMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "credits.context.site",
            ],
        },
    },
]

# --- PostgreSQL, Valkey, Celery -----------------------------------------------------------------

# Locally, what is not set is where `make run` or the command at hand has started it.
_running = {} if PRODUCTION else running_addresses()
DATABASE_URL = _address(
    "DATABASE_URL",
    env.str("DATABASE_URL", "") or _running.get("DATABASE_URL", "postgres://127.0.0.1/credits"),
    schemes=("postgres", "postgresql"),
    example="postgres://user:password@host:5432/name",
)
_database: dict[str, Any] = env.db_url_config(DATABASE_URL)
# A pool keeps connections open between requests, and statements stay prepared on them.
_database["OPTIONS"] = {
    **_database.get("OPTIONS", {}),
    "pool": {
        "min_size": 1,
        "max_size": _integer("DATABASE_POOL_SIZE", 16, at_least=1, at_most=500),
        "timeout": 10,
    },
    "prepare_threshold": 2,
    "server_side_binding": True,
}
# A cursor kept on the server would be lost where a pooler gives each transaction any connection.
_database["DISABLE_SERVER_SIDE_CURSORS"] = True
DATABASES = {"default": _database}

REDIS_URL = _address(
    "REDIS_URL",
    env.str("REDIS_URL", "") or _running.get("REDIS_URL", "redis://127.0.0.1:6379/0"),
    schemes=("redis", "rediss"),
    example="redis://:password@host:6379/0",
)
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
}

CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 3600
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = "UTC"

# --- People -------------------------------------------------------------------------------------

AUTH_USER_MODEL = "credits.User"
# Django's own backend with sign-in by email address; a second one would hash passwords twice.
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
SIGNUP_OPEN = _boolean("SIGNUP_OPEN", False)
ACCOUNT_ADAPTER = "credits.accounts.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if SIGNUP_OPEN else "none"
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_SESSION_REMEMBER = True
# Failed sign-ins are limited by client address, which behind a proxy only X-Forwarded-For tells.
ALLAUTH_TRUSTED_PROXY_COUNT = _integer(
    "TRUSTED_PROXY_COUNT", 1 if PRODUCTION else 0, at_least=0, at_most=10
)
# Staff are asked for a second factor at every sign-in, and have to set one up first.
STAFF_TWO_FACTOR_REQUIRED = _boolean("STAFF_TWO_FACTOR_REQUIRED", PRODUCTION)
STAFF_SESSION_IDLE_MINUTES = _integer("STAFF_SESSION_IDLE_MINUTES", 60, at_least=5, at_most=1440)
STAFF_SESSION_MAX_HOURS = _integer("STAFF_SESSION_MAX_HOURS", 12, at_least=1, at_most=168)
SIGN_IN_LOG_DAYS = _integer("SIGN_IN_LOG_DAYS", 400, at_least=30, at_most=3650)
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = f"Credits ({urlsplit(BASE_URL).hostname})"
# A clock may be one step off (https://www.rfc-editor.org/rfc/rfc6238#section-5.2).
MFA_TOTP_TOLERANCE = 1
# Whoever can sign in at all has shown the address to be theirs, or was given it by staff.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_FORMS = {
    "authenticate": "credits.second_factor_forms.AuthenticateForm",
    "reauthenticate": "credits.second_factor_forms.ReauthenticateForm",
    "activate_totp": "credits.second_factor_forms.ActivateTOTPForm",
}
LOGIN_REDIRECT_URL = "/"
LOGIN_URL = "/accounts/login/"

EMAIL_URL = env.str("EMAIL_URL", "")
vars().update(
    env.email_url_config(
        _address(
            "EMAIL_URL",
            EMAIL_URL,
            schemes=("smtp", "smtp+tls", "smtp+ssl"),
            example="smtp+tls://user:password@host:587",
        )
        if EMAIL_URL
        else "consolemail://"
    )
)
EMAIL_TIMEOUT = 20
# Who is told of payments that go wrong.
ALERT_EMAILS = env.list("ALERT_EMAILS", default=[])
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Credits <no-reply@localhost>")

# --- API ----------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    # credits.api.base.ApiView asks for a key; what does not build on it asks for nothing.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "credits.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Credits API",
    "DESCRIPTION": "Spend credits, set them aside, give them back."
    + " **Sandbox: no real money moves here.**" * STRIPE_SANDBOX,
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "OAS_VERSION": "3.1.0",
    "POSTPROCESSING_HOOKS": ["credits.api.schema.complete"],
    "EXTERNAL_DOCS": {"description": "The API guide", "url": f"{BASE_URL}/docs/api/"},
    "TAGS": [
        {"name": "Spend", "description": "Spend credits on actions, and give them back."},
        {"name": "Hold", "description": "Set credits aside before the work, settle after it."},
        {"name": "Read", "description": "Prices, whether a spend would be made, and reports."},
        {"name": "Web pages", "description": "Tokens with which a page spends by itself."},
        {"name": "Explain", "description": "For staff, with staff keys: where credits went."},
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# Which pages may call is asked of the keys: credits.api.cors. Cookies are never involved.
CORS_URLS_REGEX = r"^/api/v1/"
CORS_ALLOW_METHODS = ("GET", "POST")
CORS_ALLOW_HEADERS = ("authorization", "content-type", "idempotency-key", "x-request-id")
CORS_EXPOSE_HEADERS = ("Idempotent-Replayed", "Retry-After", "X-Request-ID")
CORS_PREFLIGHT_MAX_AGE = 7200

# --- Credits ------------------------------------------------------------------------------------

WEEKLY_CREDITS_DEFAULT = _integer("WEEKLY_CREDITS_DEFAULT", 50, at_least=0, at_most=1_000_000_000)
DEFAULT_CURRENCY = env.str("DEFAULT_CURRENCY", "usd").strip().lower()
if DEFAULT_CURRENCY not in CURRENCIES:
    raise ImproperlyConfigured(
        f"DEFAULT_CURRENCY is {DEFAULT_CURRENCY!r}; it must be one of "
        f"{', '.join(sorted(CURRENCIES))}."
    )
HOLD_DEFAULT_SECONDS = _integer("HOLD_DEFAULT_SECONDS", 900, at_least=1, at_most=86_400)
API_REQUESTS_PER_MINUTE = _integer(
    "API_REQUESTS_PER_MINUTE", 120_000, at_least=1, at_most=100_000_000
)

# --- Time, words, files -------------------------------------------------------------------------

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
# docs/languages.md tells how to add one.
LANGUAGES = [("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "config.formats"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
# Locally files are looked up where they lie; in production from where collectstatic put them.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not PRODUCTION
# A file never changes when its name holds a hash of it, or its path a version: those of credits.js.
WHITENOISE_IMMUTABLE_FILE_TEST = r"\.[0-9a-f]{12}\.[^/]+$|/credits-js/\d+\.\d+\.\d+/"
if PRODUCTION:
    STATIC_ROOT = BASE_DIR / "staticfiles"
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }

# --- Logs ---------------------------------------------------------------------------------------

LOGGING = logs.configuration(as_json=PRODUCTION)

# --- Admin --------------------------------------------------------------------------------------

UNFOLD = admin_site.UNFOLD

# --- Safety -------------------------------------------------------------------------------------

# Where a form leads in the end is checked too: Buy leads on to Stripe's page.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {**csp.STRICT, "form-action": [SELF, BASE_URL, STRIPE_CHECKOUT_ORIGIN]}
}

if PRODUCTION:
    SECURE_SSL_REDIRECT = _boolean("SECURE_SSL_REDIRECT", True)
    SECURE_REDIRECT_EXEMPT = [r"^health/"]
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
