"""Static files in production: what never changes may be kept for good, the rest for a minute."""

from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.test import RequestFactory
from whitenoise.middleware import WhiteNoiseMiddleware

MODULE = "credits-js/1.0.0/credits.js"
SITE = "credits/site.css"


def test_only_names_with_a_hash_or_a_version_are_kept_for_good(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    settings.WHITENOISE_AUTOREFRESH = settings.WHITENOISE_USE_FINDERS = False
    storage = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": storage}}
    call_command("collectstatic", interactive=False, verbosity=0)
    serve = WhiteNoiseMiddleware(lambda request: None)
    kept = {}
    for url in (f"/static/{MODULE}", staticfiles_storage.url(SITE), f"/static/{SITE}"):
        response = serve(RequestFactory().get(url))
        kept[url] = "immutable" in response["Cache-Control"]
        assert response["Access-Control-Allow-Origin"] == "*"
        response.close()
    assert list(kept.values()) == [True, True, False]
