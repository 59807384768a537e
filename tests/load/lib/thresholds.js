// The service level, and the thresholds that hold a run to it.

import { config } from './config.js';
import { breaks, slack } from './scenarios.js';

// What the site promises at its usual load. Milliseconds that 95 % of the answers of a route take
// at most; share of requests that may fail.
export const SERVICE_LEVEL = {
  p95: {
    product_list: 25,
    product_detail: 25,
    product_styles: 25,
    product_related: 25,
    review_list: 25,
    review_meta: 25,
    review_helpful: 50,
    review_create: 50,
    account_detail: 100,
    profile_detail: 100,
    profile_search: 100,
  },
  failed: 0.001,
};

const SETTLED = '10s';

export function limitOf(route) {
  return config.p95 || SERVICE_LEVEL.p95[route] * slack;
}

// A metric of the measured scenario; the warm-up and setup() carry another tag or none.
export function measured(metric, route) {
  const name = route ? `,name:${route}` : '';
  return `${metric}{scenario:${config.scenario}${name}}`;
}

// k6 also keeps apart only what has a threshold, so each line here is a line of the summary.
export function thresholds(routes) {
  const all = {
    // No check has ever failed, no request was left out because the service was busy.
    checks: [limit('rate==1')],
    [measured('dropped_iterations')]: [limit('count==0')],
    [measured('http_req_duration')]: [],
  };
  for (const { name } of routes) {
    all[measured('http_req_duration', name)] = [limit(`p(95)<${limitOf(name)}`)];
    all[measured('http_req_failed', name)] = [limit(`rate<${SERVICE_LEVEL.failed}`)];
    // A route that nobody asked keeps every other promise.
    all[measured('http_reqs', name)] = [limit('count>0')];
  }
  return all;
}

function limit(threshold) {
  return breaks && threshold !== 'count>0'
    ? { threshold, abortOnFail: true, delayAbortEval: SETTLED }
    : { threshold };
}
