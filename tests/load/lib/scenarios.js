// Scenarios: open models, whose rate does not wait for the answers.

import { config } from './config.js';

// rate: requests a second. stages: [share of the time, multiple of the rate reached by its end].
// slack: how much longer than the service level an answer may take. checkEvery: see config.js.
const SCENARIOS = {
  // Everything answers, with the right shape. How fast is not its business.
  smoke: { rate: 20, seconds: 5, slack: 40, checkEvery: 1 },
  average: { rate: 100, seconds: 120, slack: 1, checkEvery: 50 },
  // Twice the usual load, reached in steps.
  stress: {
    rate: 100,
    seconds: 300,
    slack: 2,
    checkEvery: 50,
    stages: [
      [0.15, 1],
      [0.2, 1],
      [0.15, 2],
      [0.4, 2],
      [0.1, 0],
    ],
  },
  // Five times the usual load within moments, and the time after it.
  spike: {
    rate: 100,
    seconds: 120,
    slack: 4,
    checkEvery: 50,
    stages: [
      [0.3, 1],
      [0.03, 5],
      [0.2, 5],
      [0.03, 1],
      [0.44, 1],
    ],
  },
  // Long enough for leaks to show.
  soak: { rate: 100, seconds: 3600, slack: 1, checkEvery: 50 },
  // Up to a rate that nothing here holds; it ends where the service level does.
  breakpoint: { rate: 5000, seconds: 300, slack: 1, checkEvery: 50, stages: [[1, 1]], breaks: true },
};
// How long the service may stand still before a request finds no virtual user and is dropped.
const STILL_SECONDS = 0.2;
const FEWEST_VUS = 20;
// Between a warm-up and what is measured.
const PAUSE_SECONDS = 2;
const MOST_VUS = 600;

const known = scenario(config.scenario);
export const rate = config.rate || known.rate;
export const seconds = config.seconds || known.seconds;
export const slack = known.slack;
export const checkEvery = config.checkEvery || known.checkEvery;
export const breaks = Boolean(known.breaks);
export const isSmoke = config.scenario === 'smoke';

// For k6's options: the scenario, after a warm-up where one is asked for.
export function executors() {
  const measured = known.stages ? ramping() : constant(rate, seconds);
  const all = { [config.scenario]: measured };
  if (config.warmup > 0) {
    all.warmup = { ...constant(rate, config.warmup), exec: 'warmUp' };
    all.warmup.gracefulStop = `${PAUSE_SECONDS}s`;
    // The same virtual users go on then: new ones would cost the first seconds.
    measured.startTime = `${config.warmup + PAUSE_SECONDS}s`;
  }
  return all;
}

// Requests a second that a breakpoint run had come to, which climbs in a straight line from 0: the
// number of its requests is the area below that line.
export function rateReached(requests) {
  return Math.min(rate, Math.round(Math.sqrt((2 * rate * requests) / seconds)));
}

function scenario(name) {
  if (!Object.hasOwn(SCENARIOS, name)) {
    const names = Object.keys(SCENARIOS).join(', ');
    throw new Error(`SCENARIO is '${name}': choose one of ${names}.`);
  }
  return SCENARIOS[name];
}

function constant(perSecond, duration) {
  return {
    executor: 'constant-arrival-rate',
    rate: perSecond,
    duration: `${duration}s`,
    ...users(perSecond),
  };
}

function ramping() {
  const stages = known.stages.map(([share, multiple]) => ({
    duration: `${Math.max(1, Math.round(share * seconds))}s`,
    target: Math.round(multiple * rate),
  }));
  const peak = Math.max(...stages.map((stage) => stage.target));
  return { executor: 'ramping-arrival-rate', startRate: 1, stages, ...users(peak) };
}

// All at the beginning: one made in the middle costs the time of many requests.
function users(perSecond) {
  const wanted = Math.ceil(perSecond * STILL_SECONDS);
  const count = config.vus || Math.min(MOST_VUS, Math.max(FEWEST_VUS, wanted));
  return { preAllocatedVUs: count, maxVUs: count, gracefulStop: '10s' };
}
