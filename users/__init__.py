"""Who uses the site: accounts with their logins; and who runs it, the staff.

Each room is a package with one module a subject.
"""
