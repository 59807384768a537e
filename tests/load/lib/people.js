// Profiles that exist and words that find them, asked of the running service before the load begins.

import http from 'k6/http';

import { config } from './config.js';

const SETUP = { tags: { name: 'setup' }, responseType: 'text' };
const PAGE = 100;
export const ID_LENGTH = 36;
// From all over the table: each page begins with another letter, somewhere in its order.
const LETTERS = 'abcdefghijklmnoprstvwz';
const PAGES = 40;
const MOST_OFFSET = 10000;
const SCOPES = 'accounts profiles:read';

// { token, ids, words }: texts, because every virtual user is handed a copy, and thousands of values
// in hundreds of copies would take k6 many seconds. Ids have ID_LENGTH letters each; words are lines.
export function somePeople() {
  const token = newToken();
  const ids = [];
  const words = [];
  for (let page = 0; page < PAGES; page += 1) {
    const query = LETTERS[page % LETTERS.length];
    const offset = page < LETTERS.length ? 0 : Math.floor(Math.random() * MOST_OFFSET);
    for (const row of search(token, { query, offset, limit: PAGE })) {
      ids.push(row.profile_id);
      words.push(...wordsOf(row));
    }
  }
  if (ids.length === 0) {
    throw new Error(`${config.url} has no profiles: import or create some.`);
  }
  return { token, ids: ids.join(''), words: words.join('\n') };
}

// What people type: a whole name, the beginning of one, an address, a place.
function wordsOf(row) {
  const names = row.full_name.split(' ');
  const last = names[names.length - 1];
  return [row.full_name, names[0], last.slice(0, 3), row.email_id, row.CityID, row.CountryID];
}

function search(token, asked) {
  const headers = { Authorization: `Bearer ${token}` };
  const answer = http.post(`${config.url}/profiles/_search`, JSON.stringify(asked), {
    ...SETUP,
    headers,
  });
  if (answer.status !== 200) {
    throw new Error(`/profiles/_search answered ${answer.status || answer.error}.`);
  }
  return answer.json();
}

function newToken() {
  const { url, clientId: client_id, clientSecret: client_secret } = config;
  const asked = { grant_type: 'client_credentials', scope: SCOPES, client_id, client_secret };
  const answer = http.post(`${url}/oauth/token`, asked, SETUP);
  if (answer.status !== 200) {
    throw new Error(
      `No token (${answer.status || answer.error}): set CLIENT_ID and CLIENT_SECRET to those of a client with the scopes ${SCOPES}.`,
    );
  }
  return answer.json().access_token;
}
