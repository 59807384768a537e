"""Every write on the staff's accounts, tenants, clients and tokens."""
