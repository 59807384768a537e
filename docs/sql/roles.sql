-- Separate roles for production. Run once, as a superuser: psql -v ON_ERROR_STOP=1 -f roles.sql
-- Give each login role its password or certificate afterwards (\password atelier_app).

CREATE ROLE atelier_owner  LOGIN;                        -- migrations; owns every table
CREATE ROLE atelier_app    LOGIN;                        -- the web instances
CREATE ROLE atelier_import LOGIN IN ROLE atelier_owner;  -- imports drop and build indexes: owner's work
CREATE ROLE atelier_read   LOGIN;                        -- people and reports

CREATE DATABASE atelier OWNER atelier_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE atelier FROM PUBLIC;
GRANT CONNECT ON DATABASE atelier TO atelier_app, atelier_read;

-- The application sets shorter ones itself; these hold for whoever else logs in with its role.
ALTER ROLE atelier_app    SET statement_timeout = '5s';
ALTER ROLE atelier_app    SET lock_timeout = '2s';
ALTER ROLE atelier_app    SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE atelier_read   SET statement_timeout = '30s';
ALTER ROLE atelier_read   SET default_transaction_read_only = on;
ALTER ROLE atelier_owner  SET lock_timeout = '5s';
ALTER ROLE atelier_import SET lock_timeout = '30s';
-- What an import makes belongs to the owner.
ALTER ROLE atelier_import IN DATABASE atelier SET role = 'atelier_owner';

\connect atelier
ALTER SCHEMA public OWNER TO atelier_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO atelier_app, atelier_read;

-- For every table that a migration will make.
ALTER DEFAULT PRIVILEGES FOR ROLE atelier_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO atelier_app;
ALTER DEFAULT PRIVILEGES FOR ROLE atelier_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO atelier_app;
ALTER DEFAULT PRIVILEGES FOR ROLE atelier_owner IN SCHEMA public
    GRANT SELECT ON TABLES TO atelier_read;
