// What the peers share beside their statements: settings, visitors, listening.
import { createHmac } from 'node:crypto';
import { existsSync, unlinkSync } from 'node:fs';

export const campus = process.env.CATALOGUE_CAMPUS;

/** Settings of a pool; where the database is, PGHOST, PGUSER and PGDATABASE say. */
export const poolSettings = { max: Number(process.env.POOL) };

/** The page of a list of reviews, as the legacy routes count it. */
export const pageOf = (query) => ({
  page: Math.max(1, Number.parseInt(query.page, 10) || 1) - 1,
  count: Math.min(1000, Number.parseInt(query.count, 10) || 5),
});

/** The id of a visitor, by address and user agent. */
export function visitorOf(address, userAgent) {
  const hex = createHmac('sha256', process.env.SECRET_KEY)
    .update(`peer\n${address}\n${userAgent}`)
    .digest('hex');
  return hex
    .slice(0, 32)
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Where to listen: a socket whose folder says who may connect. */
export function socketOptions() {
  const path = process.env.SOCKET;
  if (existsSync(path)) unlinkSync(path);
  return { path, readableAll: true, writableAll: true };
}
