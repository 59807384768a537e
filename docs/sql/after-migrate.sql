-- After the first `manage.py migrate`, as atelier_owner: what nobody needs in order to read reports.
REVOKE SELECT ON users_user, django_session, django_admin_log FROM atelier_read;
