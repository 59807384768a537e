from users.admin import oauth, staff, tenants

__all__ = ["oauth", "staff", "tenants"]
