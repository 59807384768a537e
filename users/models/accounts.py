from django.db import models
from django.db.models.functions import Now


def user_scope(userid: int) -> str:
    """The cache scope of an account, which every change of its row tags anew."""
    return f"user:{userid}"


class SubscriptionStatus(models.TextChoices):
    """As the wire has it too."""

    SUBSCRIBED = "Subscribed"
    EXPIRED = "Expired"
    NONE = "None"


class Account(models.Model):
    """Somebody who uses the site: where they were at their last login, and their subscription.

    PostgreSQL refuses an UPDATE or DELETE outside the write door. A new account needs none, since
    nothing is cached of a userid that does not exist.
    """

    userid = models.BigAutoField(primary_key=True)
    subscription_status = models.TextField(choices=SubscriptionStatus)
    ip = models.GenericIPAddressField()
    # No index: regions are never deleted, and nobody lists the accounts of one.
    region = models.ForeignKey(
        "licensing.Region", models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    last_login_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="account_status_is_known",
                condition=models.Q(subscription_status__in=SubscriptionStatus.values),
            ),
        ]
        indexes = [
            # Staff search by address.
            models.Index(name="account_by_ip", fields=["ip"]),
        ]

    def __str__(self) -> str:
        return f"Account {self.userid}"
