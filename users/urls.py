from django.urls import re_path

from users.views import oauth
from users.views.accounts import AccountViewSet

urlpatterns = [
    re_path(
        r"^user/(?P<userid>[^/]+)/?$",
        AccountViewSet.as_view({"get": "retrieve"}),
        name="account-detail",
    ),
    re_path(r"^login/?$", AccountViewSet.as_view({"post": "login"}), name="account-login"),
    re_path(r"^oauth/token/?$", oauth.TokenView.as_view(), name="oauth-token"),
    re_path(r"^oauth/revoke/?$", oauth.RevokeView.as_view(), name="oauth-revoke"),
    re_path(r"^oauth/introspect/?$", oauth.IntrospectView.as_view(), name="oauth-introspect"),
    re_path(r"^oauth/authorize/?$", oauth.AuthorizeView.as_view(), name="oauth-authorize"),
]
