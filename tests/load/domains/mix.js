// Which routes a run asks, and how often: the domain's shares, or those of MIX.

import { config } from '../lib/config.js';
import { products } from './products.js';
import { reviews } from './reviews.js';
import { users } from './users.js';

// The public mix: what the pages of a shop ask, 5 % of it writes.
const mixed = [...products, ...reviews];
const DOMAINS = { products, reviews, mixed, users };
const every = [...mixed, ...users];

export const routes = config.mix ? chosen(config.mix) : domain(config.domain);

function domain(name) {
  if (!Object.hasOwn(DOMAINS, name)) {
    const known = Object.keys(DOMAINS).join(', ');
    throw new Error(`DOMAIN is '${name}': choose one of ${known}.`);
  }
  return DOMAINS[name];
}

function chosen(mix) {
  return mix.split(',').map((part) => {
    const [name, share] = part.split('=');
    const route = every.find((known) => known.name === name);
    if (!route || !(Number(share) > 0)) {
      const known = every.map((each) => each.name).join(', ');
      throw new Error(`MIX has '${part}': write route=share, with a route of ${known}.`);
    }
    return { ...route, share: Number(share) };
  });
}
