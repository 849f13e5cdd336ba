from django.urls import path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

from credits.api import batch_views, explain_views, token_views, views
from credits.api.base import NoNegotiation

schema_view = SpectacularJSONAPIView.as_view(content_negotiation_class=NoNegotiation)
docs_view = SpectacularSwaggerSplitView.as_view(
    url_name="api-schema", content_negotiation_class=NoNegotiation
)

urlpatterns = [
    path("v1/spends", views.SpendsView.as_view(), name="api-spends"),
    path("v1/spends/batch", batch_views.BatchView.as_view(), name="api-spends-batch"),
    path("v1/spends/<uuid:spend_id>/refund", views.RefundView.as_view(), name="api-refund"),
    path("v1/holds", views.HoldsView.as_view(), name="api-holds"),
    path("v1/holds/<uuid:hold_id>/capture", views.CaptureView.as_view(), name="api-capture"),
    path("v1/holds/<uuid:hold_id>/release", views.ReleaseView.as_view(), name="api-release"),
    path("v1/tokens", token_views.TokensView.as_view(), name="api-tokens"),
    path("v1/check", views.CheckView.as_view(), name="api-check"),
    path("v1/actions", views.ActionsView.as_view(), name="api-actions"),
    path("v1/balance", views.BalanceView.as_view(), name="api-balance"),
    path("v1/usage", views.UsageView.as_view(), name="api-usage"),
    path(
        "v1/explain/organizations/<slug:public_id>",
        explain_views.ExplainOrganizationView.as_view(),
        name="api-explain-organization",
    ),
    path(
        "v1/explain/spends/<uuid:spend_id>",
        explain_views.ExplainSpendView.as_view(),
        name="api-explain-spend",
    ),
    path("schema/", schema_view, name="api-schema"),
    path("docs/", docs_view, name="api-docs"),
]
