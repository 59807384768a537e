// Ids that exist, asked of the running service before the load begins.

import http from 'k6/http';

import { config } from './config.js';
import { place } from './draw.js';

const PAGE = 1000;
// Writes go to the most popular products, where they cost the caches most.
const WRITTEN_PRODUCTS = 100;
const SETUP = { tags: { name: 'setup' }, responseType: 'text' };

// { runs: [[first id, how many follow without a gap]], total }: small, since every virtual user
// holds a copy.
export function productIds() {
  const runs = [];
  let total = 0;
  for (let page = 1; total < config.products; page += 1) {
    const rows = ask(`/products?page=${page}&count=${PAGE}`);
    for (const row of rows.slice(0, config.products - total)) {
      const last = runs[runs.length - 1];
      if (last && row.id === last[0] + last[1]) {
        last[1] += 1;
      } else {
        runs.push([row.id, 1]);
      }
    }
    total = runs.reduce((sum, run) => sum + run[1], 0);
    if (rows.length < PAGE) {
      break;
    }
  }
  if (total === 0) {
    throw new Error(`${config.url} has no products: import some, or set SAMPLE_PRODUCTS.`);
  }
  return { runs, total };
}

// A function from an index to a product's id.
export function productFinder({ runs }) {
  if (runs.length === 1) {
    const first = runs[0][0];
    return (index) => first + index;
  }
  return (index) => {
    let rest = index;
    let at = 0;
    while (rest >= runs[at][1]) {
      rest -= runs[at][1];
      at += 1;
    }
    return runs[at][0] + rest;
  };
}

// Popular products that have reviews: { product, reviews, characteristics } with ids.
export function writableProducts(products) {
  const found = [];
  const productAt = productFinder(products);
  const spread = place(products.total);
  for (let rank = 0; rank < Math.min(products.total, WRITTEN_PRODUCTS); rank += 1) {
    const product = productAt(spread(rank));
    const reviews = ask(`/reviews?product_id=${product}`).results.map((row) => row.review_id);
    const named = ask(`/reviews/meta?product_id=${product}`).characteristics;
    if (reviews.length > 0) {
      const characteristics = Object.values(named).map((row) => row.id);
      found.push({ product, reviews, characteristics });
    }
  }
  if (found.length === 0) {
    throw new Error(`None of the products of ${config.url} has reviews: nothing to vote on.`);
  }
  return found;
}

function ask(path) {
  const answer = http.get(config.url + path, SETUP);
  if (answer.status !== 200) {
    const said = answer.error || `status ${answer.status}`;
    throw new Error(`${config.url}${path} gave no ids (${said}): is URL the site's?`);
  }
  return answer.json();
}
