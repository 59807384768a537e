// The load test: `make load`, or `k6 run tests/load/main.js` with the settings of lib/config.js.

import exec from 'k6/execution';

import { routes } from './domains/mix.js';
import { config } from './lib/config.js';
import { weighted } from './lib/draw.js';
import { productIds, writableProducts } from './lib/ids.js';
import { somePeople } from './lib/people.js';
import { begin } from './lib/routes.js';
import { executors, isSmoke } from './lib/scenarios.js';
import { summarise, table } from './lib/summary.js';
import { thresholds } from './lib/thresholds.js';

export const options = {
  scenarios: executors(),
  thresholds: thresholds(routes),
  // Every tag costs time with every request; the thresholds need these two.
  systemTags: ['scenario', 'name'],
  summaryTrendStats: ['med', 'p(95)', 'p(99)', 'max', 'count'],
  discardResponseBodies: true,
  setupTimeout: '120s',
};

const draw = weighted(
  routes,
  routes.map((route) => route.share),
);

export function setup() {
  const people = routes.some((route) => route.people) ? somePeople() : null;
  const products = routes.some((route) => !route.people) ? productIds() : null;
  const writable = routes.some((route) => route.writes) ? writableProducts(products) : [];
  return { people, products, writable, run: Date.now().toString(36) };
}

export default function load(found) {
  begin(found);
  // A short run must not leave a route to chance.
  const route = isSmoke ? routes[exec.scenario.iterationInTest % routes.length] : draw();
  route.ask(true);
}

export function warmUp(found) {
  begin(found);
  draw().ask(false);
}

export function handleSummary(data) {
  const found = summarise(data, routes);
  const written = { stdout: table(found) };
  if (config.folder) {
    written[`${config.folder}/summary.json`] = `${JSON.stringify(found, null, 2)}\n`;
    written[`${config.folder}/summary.txt`] = written.stdout;
  }
  return written;
}
