"""Who uses the site: accounts with their logins; who may call it: tenants, clients and tokens; and
who runs it, the staff.

Each room is a package with one module a subject. The models of staff and clients are our own from
the first migration on, since they cannot be exchanged later.
"""
