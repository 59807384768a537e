// What a run is told, from the environment. A value that cannot be meant ends it with a sentence.

const DRAWS = ['zipf', 'uniform'];

export const config = {
  url: text('URL', 'http://127.0.0.1:8000').replace(/\/+$/, ''),
  scenario: text('SCENARIO', 'average'),
  domain: text('DOMAIN', 'mixed'),
  // Shares of the routes in place of the domain's own: product_styles=70,review_meta=30
  mix: text('MIX', ''),
  // Requests a second, and how long: 90, 90s, 5m or 1h. 0 is the scenario's own.
  rate: whole('RATE', 0),
  seconds: seconds('DURATION', '0'),
  // Seconds of the same load before, which no threshold looks at
  warmup: seconds('WARMUP', '0'),
  // Virtual users, which is requests on their way at once; 0 follows from the rate
  vus: whole('VUS', 0),
  // Products to draw from, by id, and how; the same of accounts
  products: whole('PRODUCTS', 10000, 1),
  draw: oneOf('DRAW', DRAWS),
  // Accounts to draw from: userids from 1 on
  accounts: whole('ACCOUNTS', 10000, 1),
  // One answer in so many is read and its shape checked; 0 is the scenario's own.
  checkEvery: whole('CHECK_EVERY', 0),
  // Milliseconds that hold for every route in place of the service level
  p95: number('P95', 0),
  visitorIdKey: text('VISITOR_ID_KEY', ''),
  tokenKey: text('TOKEN_KEY', ''),
  tokenAudience: text('TOKEN_AUDIENCE', ''),
  // What accounts and profiles are asked with
  clientId: text('CLIENT_ID', ''),
  clientSecret: text('CLIENT_SECRET', ''),
  // Where summary.json and summary.txt go; nothing is written when empty.
  folder: text('FOLDER', ''),
};

function text(name, otherwise) {
  return __ENV[name] || otherwise;
}

function number(name, otherwise) {
  const value = Number(text(name, otherwise));
  if (!(value >= 0 && value < Infinity)) {
    throw new Error(`${name} is '${__ENV[name]}': set it to a number.`);
  }
  return value;
}

function whole(name, otherwise, least = 0) {
  const value = number(name, otherwise);
  if (!Number.isSafeInteger(value) || value < least) {
    throw new Error(`${name} is '${__ENV[name]}': set it to a whole number, ${least} or more.`);
  }
  return value;
}

function seconds(name, otherwise) {
  const parts = /^(\d+)([smh]?)$/.exec(text(name, otherwise));
  if (!parts) {
    throw new Error(`${name} is '${__ENV[name]}': set it to a duration such as 90s, 5m or 1h.`);
  }
  return Number(parts[1]) * { '': 1, s: 1, m: 60, h: 3600 }[parts[2]];
}

function oneOf(name, values) {
  const value = text(name, values[0]);
  if (!values.includes(value)) {
    throw new Error(`${name} is '${value}': choose one of ${values.join(', ')}.`);
  }
  return value;
}
