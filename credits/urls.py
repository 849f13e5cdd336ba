from django.urls import path

from credits.views import export, keys, overview, problems

urlpatterns = [
    path("", overview.home, name="home"),
    path("spends/", overview.spends, name="spends"),
    path("usage.csv", export.usage_csv, name="usage-csv"),
    path("keys/", keys.keys, name="keys"),
    path("keys/<int:key_id>/revoke/", keys.revoke_key, name="revoke-key"),
    path("problems/<slug:slug>/", problems.problem, name="problem"),
]
