from django.urls import re_path

from users.views import oauth
from users.views.accounts import AccountViewSet
from users.views.profiles import GreetingViewSet, PreferenceViewSet, ProfileViewSet

PROFILE = r"^profiles/(?P<profile_id>[^/]+)"

urlpatterns = [
    re_path(
        r"^user/(?P<userid>[^/]+)/?$",
        AccountViewSet.as_view({"get": "retrieve"}),
        name="account-detail",
    ),
    re_path(r"^login/?$", AccountViewSet.as_view({"post": "login"}), name="account-login"),
    re_path(
        rf"{PROFILE}/?$",
        ProfileViewSet.as_view(
            {"get": "retrieve", "put": "replace", "patch": "update", "delete": "destroy"}
        ),
        name="profile-detail",
    ),
    re_path(
        r"^profiles/?$",
        ProfileViewSet.as_view({"get": "list", "post": "create"}),
        name="profile-list",
    ),
    re_path(
        rf"{PROFILE}/_upload/?$", ProfileViewSet.as_view({"put": "upload"}), name="profile-upload"
    ),
    re_path(
        rf"{PROFILE}/restore/?$",
        ProfileViewSet.as_view({"post": "restore"}),
        name="profile-restore",
    ),
    re_path(
        rf"{PROFILE}/preferences/?$",
        PreferenceViewSet.as_view({"get": "list"}),
        name="preference-list",
    ),
    re_path(
        rf"{PROFILE}/preferences/(?P<key>[^/]+)/?$",
        PreferenceViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
        name="preference-detail",
    ),
    re_path(r"^$", GreetingViewSet.as_view({"get": "greet"}), name="greeting"),
    re_path(r"^_health/?$", GreetingViewSet.as_view({"get": "health"}), name="greeting-health"),
    re_path(r"^oauth/token/?$", oauth.TokenView.as_view(), name="oauth-token"),
    re_path(r"^oauth/revoke/?$", oauth.RevokeView.as_view(), name="oauth-revoke"),
    re_path(r"^oauth/introspect/?$", oauth.IntrospectView.as_view(), name="oauth-introspect"),
    re_path(r"^oauth/authorize/?$", oauth.AuthorizeView.as_view(), name="oauth-authorize"),
]
