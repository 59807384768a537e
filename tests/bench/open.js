// k6's requests, at a fixed rate: the same draws as in draw.lua. Settings: see load.py.
import http from 'k6/http';
import { Counter } from 'k6/metrics';

const products = new Int32Array(open(__ENV.PRODUCT_IDS, 'b'));
const reviews = new Int32Array(open(__ENV.REVIEW_IDS, 'b'));
const count = Math.min(products.length, Number(__ENV.LOAD_PRODUCTS));
const writeShare = Number(__ENV.LOAD_WRITES);
const span = Math.log(count + 1);
const url = __ENV.LOAD_URL;
const templates = {
  detail: ['/products/', ''],
  styles: ['/products/', '/styles'],
  related: ['/products/', '/related'],
  reviews: ['/reviews?product_id=', ''],
  meta: ['/reviews/meta?product_id=', ''],
};
const routes = __ENV.LOAD_ROUTES.split(',').map((name) => [url + templates[name][0], templates[name][1]]);
const sent = new Counter('writes_sent');
const read = { tags: { name: 'read' } };
let votes = 0;

export const options = {
  scenarios: {
    open: {
      executor: 'constant-arrival-rate',
      rate: Number(__ENV.LOAD_RATE),
      timeUnit: '1s',
      duration: `${__ENV.LOAD_SECONDS}s`,
      preAllocatedVUs: Number(__ENV.LOAD_USERS),
      maxVUs: Number(__ENV.LOAD_USERS),
      gracefulStop: '10s',
    },
  },
  discardResponseBodies: true,
  systemTags: ['name'],
  summaryTrendStats: ['p(50)', 'p(95)', 'p(99)', 'count'],
};

http.setResponseCallback(http.expectedStatuses(200, 204));

function zipf() {
  for (;;) {
    const k = Math.floor(Math.exp(Math.random() * span));
    if (Math.random() * k * Math.log1p(1 / k) < Math.LN2) return k - 1;
  }
}

const uniform = () => Math.floor(Math.random() * count);
const rank = __ENV.LOAD_DRAW === 'zipf' ? zipf : uniform;

function vote() {
  let review;
  do review = reviews[rank()];
  while (review === 0);
  votes += 1;
  sent.add(1);
  http.put(`${url}/reviews/${review}/helpful`, null, {
    headers: { 'User-Agent': `${__ENV.LOAD_NONCE}-${__VU}-${votes}` },
    tags: { name: 'write' },
  });
}

export default function () {
  if (Math.random() < writeShare) {
    vote();
    return;
  }
  const route = routes[Math.floor(Math.random() * routes.length)];
  http.get(route[0] + products[rank()] + route[1], read);
}

export function handleSummary(data) {
  const metrics = data.metrics;
  const value = (name, field) => (metrics[name] ? metrics[name].values[field] : 0);
  const result = {
    requests: value('http_reqs', 'count'),
    seconds: data.state.testRunDurationMs / 1000,
    writes: value('writes_sent', 'count'),
    p50: value('http_req_duration', 'p(50)'),
    p95: value('http_req_duration', 'p(95)'),
    p99: value('http_req_duration', 'p(99)'),
    // A rate counts what is true: here requests that failed.
    refused: value('http_req_failed', 'passes'),
    broken: 0,
    dropped: value('dropped_iterations', 'count'),
  };
  return { [__ENV.LOAD_RESULT]: JSON.stringify(result) };
}
