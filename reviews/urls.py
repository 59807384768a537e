from django.urls import re_path

from reviews.views import ReviewViewSet

urlpatterns = [
    re_path(
        r"^reviews/?$",
        ReviewViewSet.as_view({"get": "list", "post": "create"}),
        name="review-list",
    ),
    re_path(r"^reviews/meta/?$", ReviewViewSet.as_view({"get": "meta"}), name="review-meta"),
    re_path(
        r"^reviews/(?P<review_id>[^/]+)/helpful/?$",
        ReviewViewSet.as_view({"put": "helpful"}),
        name="review-helpful",
    ),
    re_path(
        r"^reviews/(?P<review_id>[^/]+)/report/?$",
        ReviewViewSet.as_view({"put": "report"}),
        name="review-report",
    ),
    re_path(
        r"^reviews/(?P<review_id>[^/]+)/?$",
        ReviewViewSet.as_view({"patch": "moderate", "delete": "destroy"}),
        name="review-detail",
    ),
]
