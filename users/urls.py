from django.urls import re_path

from users.views.accounts import AccountViewSet

urlpatterns = [
    re_path(
        r"^user/(?P<userid>[^/]+)/?$",
        AccountViewSet.as_view({"get": "retrieve"}),
        name="account-detail",
    ),
    re_path(r"^login/?$", AccountViewSet.as_view({"post": "login"}), name="account-login"),
]
