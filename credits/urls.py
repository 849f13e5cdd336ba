from django.urls import path

from credits.views import (
    activity,
    docs,
    export,
    invitations,
    keys,
    notices,
    overview,
    people,
    problems,
)

urlpatterns = [
    path("", overview.home, name="home"),
    path("spends/", overview.spends, name="spends"),
    path("usage.csv", export.usage_csv, name="usage-csv"),
    path("docs/", docs.index, name="docs"),
    path("docs/python/credits_client.py", docs.python_client, name="python-client"),
    path("docs/<slug:slug>/", docs.guide, name="guide"),
    path("activity/", activity.activity, name="activity"),
    path("invitations/<str:token>/", invitations.invitation, name="invitation"),
    path("keys/", keys.keys, name="keys"),
    path("keys/<int:key_id>/", keys.change_key, name="change-key"),
    path("keys/<int:key_id>/revoke/", keys.revoke_key, name="revoke-key"),
    path("keys/<int:key_id>/rotate/", keys.rotate_key, name="rotate-key"),
    path("members/", people.members, name="members"),
    path("members/<int:membership_id>/remove/", people.remove_member, name="remove-member"),
    path("members/<int:membership_id>/role/", people.change_role, name="change-role"),
    path(
        "members/invitations/<int:invitation_id>/send/",
        people.send_invitation_again,
        name="send-invitation-again",
    ),
    path(
        "members/invitations/<int:invitation_id>/withdraw/",
        people.withdraw_invitation,
        name="withdraw-invitation",
    ),
    path("notices/", notices.notices, name="notices"),
    path("notices/<int:notice_id>/dismiss/", notices.dismiss, name="dismiss-notice"),
    path("notices/unsubscribe/<str:token>/", notices.unsubscribe, name="unsubscribe"),
    path("problems/<slug:slug>/", problems.problem, name="problem"),
]
