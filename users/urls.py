from django.urls import re_path

from users import views

urlpatterns = [
    re_path(r"^oauth/token/?$", views.TokenView.as_view(), name="oauth-token"),
    re_path(r"^oauth/revoke/?$", views.RevokeView.as_view(), name="oauth-revoke"),
    re_path(r"^oauth/introspect/?$", views.IntrospectView.as_view(), name="oauth-introspect"),
    re_path(r"^oauth/authorize/?$", views.AuthorizeView.as_view(), name="oauth-authorize"),
]
