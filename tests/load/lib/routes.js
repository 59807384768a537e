// Routes as the load knows them: { name, share, writes, ask(counts) }, where `counts` is false for
// the warm-up, whose cache statuses are nobody's business.
//
// ask() runs thousands of times a second beside the service it measures, so it is written for k6's
// interpreter: what stays the same is made once, without iterators, without reaching into another
// module. (k6 keeps answers of setup() and imported names behind slow look-ups.)

import http from 'k6/http';

import { cacheCounters } from './cache.js';
import { checkShape } from './checks.js';
import { config } from './config.js';
import { place, uniform, zipf } from './draw.js';
import { productFinder } from './ids.js';
import { ID_LENGTH } from './people.js';
import { checkEvery } from './scenarios.js';
import { newVisitor } from './tokens.js';

const LISTED_PAGES = 20;
const PER_PAGE = 5;
// Of the words to search for a virtual user takes this many letters.
const WORDS_LENGTH = 4000;
const JSON_BODY = { 'Content-Type': 'application/json' };

const { get, put, post } = http;
const { url } = config;
const read = 1 / checkEvery;
const random = Math.random;

// Draws of this virtual user: they need what setup() found.
let drawProduct = null;
let drawPage = null;
let drawWritten = null;
let run = '';
// And of the people's.
let drawAccount = null;
let drawProfile = null;
let drawWord = null;
let bearer = {};

// Before the first request of a virtual user. `found` is setup()'s.
export function begin(found) {
  if (drawProduct !== null || drawAccount !== null) {
    return;
  }
  const { products, writable, people, run: mark } = JSON.parse(JSON.stringify(found));
  run = mark;
  if (people !== null) {
    const { token, ids, words } = people;
    const account = ranks(config.accounts);
    const spreadAccount = place(config.accounts);
    drawAccount = () => 1 + spreadAccount(account());
    const profile = uniform(ids.length / ID_LENGTH);
    drawProfile = () => ids.substr(profile() * ID_LENGTH, ID_LENGTH);
    const some = linesOf(words);
    drawWord = () => any(some);
    bearer = { Authorization: `Bearer ${token}` };
  }
  if (products === null) {
    return;
  }
  const { total } = products;
  const productAt = productFinder(products);
  const rank = ranks(total);
  const spread = place(total);
  drawProduct = () => productAt(spread(rank()));
  const page = zipf(Math.min(LISTED_PAGES, Math.ceil(total / PER_PAGE)));
  drawPage = () => 1 + page();
  const popular = zipf(Math.max(1, writable.length));
  drawWritten = () => writable[popular()];
}

function ranks(total) {
  return config.draw === 'zipf' ? zipf(total) : uniform(total);
}

// A GET about one product; path(product id) is what is asked.
export function productRead(name, share, path) {
  return reading(name, share, () => drawProduct(), path);
}

// A GET of a page of the list, first pages most.
export function pageRead(name, share, path) {
  return reading(name, share, () => drawPage(), path);
}

// A GET about one account.
export function accountRead(name, share, path) {
  return { ...reading(name, share, () => drawAccount(), path, true), people: true };
}

// A GET about one profile of those that setup() found.
export function profileRead(name, share, path) {
  return { ...reading(name, share, () => drawProfile(), path, true), people: true };
}

// A search for words of theirs.
export function profileSearch(name, share, path) {
  const params = paramsOf(name, 200);
  const ask = () => {
    const word = drawWord();
    const looks = random() < read;
    const asked = { ...params, headers: bearer, responseType: looks ? 'text' : 'none' };
    const answer = post(url + path, JSON.stringify({ query: word, limit: 10 }), asked);
    if (looks) {
      checkShape(name, answer, word);
    }
  };
  return { name, share, writes: false, people: true, ask };
}

// A vote of a new visitor. It always changes a row.
export function vote(name, share, path) {
  const params = paramsOf(name, 204);
  const ask = () => {
    const review = any(drawWritten().reviews);
    put(url + path(review), null, { ...params, headers: newVisitor(run) });
  };
  return { name, share, writes: true, ask };
}

// A POST of JSON; body(writable product) is what is sent.
export function creation(name, share, path, body) {
  const params = { ...paramsOf(name, 201), headers: JSON_BODY };
  const ask = () => post(url + path, JSON.stringify(body(drawWritten())), params);
  return { name, share, writes: true, ask };
}

function reading(name, share, draw, path, isGuarded = false) {
  const unreadParams = paramsOf(name, 200);
  const readParams = { ...unreadParams, responseType: 'text' };
  const counters = cacheCounters(name);
  const ask = (counts) => {
    const subject = draw();
    const looks = random() < read;
    const params = looks ? readParams : unreadParams;
    if (isGuarded && params.headers === undefined) {
      params.headers = bearer;
    }
    const answer = get(url + path(subject), params);
    if (counts) {
      const counter = counters[answer.headers['X-Cache-Status']] || counters.other;
      counter.add(1);
    }
    if (looks) {
      checkShape(name, answer, subject);
    }
  };
  return { name, share, writes: false, ask };
}

// Any other status counts as a failed request.
function paramsOf(name, status) {
  return { tags: { name }, redirects: 0, responseCallback: http.expectedStatuses(status) };
}

// Some lines of a long text, from anywhere in it.
function linesOf(text) {
  const from = Math.floor(random() * Math.max(1, text.length - WORDS_LENGTH));
  const lines = text.substr(from, WORDS_LENGTH).split('\n');
  return lines.length > 2 ? lines.slice(1, -1) : text.split('\n');
}

function any(items) {
  return items[Math.floor(random() * items.length)];
}
