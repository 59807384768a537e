// Answers by X-Cache-Status, counted per route; `other` is also an answer without the header.

import { Counter } from 'k6/metrics';

export const STATUSES = [
  ...['HIT', 'MISS', 'BYPASS', 'EXPIRED', 'STALE', 'UPDATING', 'REVALIDATED'],
  ...['DEGRADED-HIT', 'DEGRADED-MISS', 'other'],
];

// A counter per route and status, because k6 sums up no tags by itself.
export function cacheCounters(route) {
  const counters = {};
  for (const status of STATUSES) {
    counters[status] = new Counter(cacheMetric(route, status));
  }
  return counters;
}

export function cacheMetric(route, status) {
  return `cache_${route}_${status.replace('-', '_')}`;
}
