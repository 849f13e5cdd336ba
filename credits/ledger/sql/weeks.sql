-- The Monday (UTC) of the week that holds a moment; weeks start Monday 00:00:00 UTC.
CREATE OR REPLACE FUNCTION ledger_week(p_at timestamptz) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date_trunc('week', p_at AT TIME ZONE 'UTC')::date;

-- The moment a date begins in UTC.
CREATE OR REPLACE FUNCTION ledger_midnight(p_date date) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN p_date::timestamp AT TIME ZONE 'UTC';
