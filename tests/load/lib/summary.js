// What a run found: as numbers for programs, and as a table for people.

import { cacheMetric, STATUSES } from './cache.js';
import { config } from './config.js';
import { breaks, rate, rateReached, seconds } from './scenarios.js';
import { limitOf, measured } from './thresholds.js';

export function summarise(data, routes) {
  const elapsed = data.state.testRunDurationMs / 1000;
  const checks = valuesOf(data, 'checks');
  const found = {
    scenario: config.scenario,
    domain: config.mix || config.domain,
    rate,
    seconds,
    elapsed,
    all: times(data, measured('http_req_duration')),
    routes: {},
    // All of them: those of the warm-up, and those that looked for ids.
    sent: valuesOf(data, 'http_reqs').count || 0,
    dropped: valuesOf(data, measured('dropped_iterations')).count || 0,
    checks: { passed: checks.passes || 0, failed: checks.fails || 0 },
    thresholds: thresholdsOf(data),
  };
  for (const { name } of routes) {
    found.routes[name] = routeOf(data, name);
  }
  if (breaks) {
    found.reached = rateReached(found.all.requests + found.dropped);
  }
  return found;
}

export function table(found) {
  const lines = [`\n${found.scenario}, ${found.domain}: ${found.elapsed.toFixed(0)} s`, ''];
  lines.push(row(['route', 'requests', 'failed', 'P50 ms', 'P95 ms', 'P99 ms', 'limit', 'cache']));
  for (const [name, route] of Object.entries(found.routes)) {
    const cache = Object.entries(route.cache).map(([status, count]) => `${status} ${count}`);
    const figures = [route.p50, route.p95, route.p99].map((time) => time.toFixed(2));
    const limit = `${route.limit}${route.p95 < route.limit ? '' : ' !'}`;
    lines.push(row([name, route.requests, route.failed, ...figures, limit, cache.join(', ')]));
  }
  const { passed, failed } = found.checks;
  lines.push('', `checks ${passed} passed, ${failed} failed; ${found.dropped} requests dropped`);
  const missed = found.thresholds.filter((threshold) => !threshold.ok);
  if (breaks) {
    const how = missed.length > 0 ? 'was left at' : 'held up to';
    lines.push(`the service level ${how} about ${found.reached} requests a second`);
  }
  for (const { metric, limit } of missed) {
    lines.push(`MISSED: ${metric} ${limit}`);
  }
  if (missed.length === 0) {
    lines.push(`all ${found.thresholds.length} thresholds hold`);
  }
  return `${lines.join('\n')}\n`;
}

function routeOf(data, name) {
  const failed = valuesOf(data, measured('http_req_failed', name));
  const cache = {};
  for (const status of STATUSES) {
    const { count } = valuesOf(data, cacheMetric(name, status));
    if (count) {
      cache[status] = count;
    }
  }
  return {
    ...times(data, measured('http_req_duration', name)),
    limit: limitOf(name),
    // k6 counts what is true as a pass, and here failures are true.
    failed: failed.passes || 0,
    cache,
  };
}

function times(data, metric) {
  const values = valuesOf(data, metric);
  return {
    requests: values.count || 0,
    p50: values.med || 0,
    p95: values['p(95)'] || 0,
    p99: values['p(99)'] || 0,
    max: values.max || 0,
  };
}

function thresholdsOf(data) {
  const all = [];
  for (const [metric, { thresholds }] of Object.entries(data.metrics)) {
    for (const [limit, { ok }] of Object.entries(thresholds || {})) {
      all.push({ metric, limit, ok });
    }
  }
  return all.sort((one, other) => (one.metric < other.metric ? -1 : 1));
}

function valuesOf(data, metric) {
  return data.metrics[metric] ? data.metrics[metric].values : {};
}

const WIDTHS = [-16, 9, 7, 9, 9, 9, 8];

function row(cells) {
  const padded = cells.map((cell, at) => {
    const width = WIDTHS[at] || 0;
    return width < 0 ? String(cell).padEnd(-width) : String(cell).padStart(width);
  });
  return padded.join('  ').trimEnd();
}
