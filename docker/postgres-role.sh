#!/bin/sh
# Makes the role that the notebooks use: it may create databases and is no superuser.
set -eu
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d postgres <<'SQL'
\getenv password SPAR_PASSWORD
CREATE ROLE spar LOGIN CREATEDB NOSUPERUSER PASSWORD :'password';
SQL
