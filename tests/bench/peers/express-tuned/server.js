// The same with what a careful team would tune: named statements, which the server prepares once a
// connection; the answer passed on as text, neither parsed nor written again; no ETag; votes in one
// statement; connections that stay open.
import express from 'express';
import pg from 'pg';
import { campus, pageOf, poolSettings, socketOptions, visitorOf } from '../server.js';
import * as sql from '../sql.js';

const pool = new pg.Pool({
  ...poolSettings,
  idleTimeoutMillis: 0,
  options: sql.openDoorOption,
  types: { getTypeParser: () => (text) => text },
});
const app = express();
app.set('trust proxy', true);
app.disable('etag');
app.disable('x-powered-by');

const named = Object.fromEntries(
  ['detail', 'styles', 'related', 'newest', 'helpful', 'meta', 'vote'].map((name) => [
    name,
    (values) => pool.query({ name, text: sql[name], values, rowMode: 'array' }),
  ]),
);

function answer(res, { rows }) {
  if (rows.length === 0) return res.status(404).send('Error: invalid product id provided');
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.setHeader('Content-Length', Buffer.byteLength(rows[0][0]));
  res.end(rows[0][0]);
}

app.param('id', (req, res, next, id) => {
  if (!/^\d+$/.test(id)) return res.status(404).send('Error: invalid id provided');
  next();
});

app.get('/products/:id', async (req, res) => {
  answer(res, await named.detail([req.params.id, campus]));
});

app.get('/products/:id/styles', async (req, res) => {
  answer(res, await named.styles([req.params.id]));
});

app.get('/products/:id/related', async (req, res) => {
  answer(res, await named.related([req.params.id]));
});

app.get('/reviews', async (req, res) => {
  const { page, count } = pageOf(req.query);
  const list = req.query.sort === 'newest' ? named.newest : named.helpful;
  answer(res, await list([req.query.product_id, page, count]));
});

app.get('/reviews/meta', async (req, res) => {
  answer(res, await named.meta([req.query.product_id]));
});

app.put('/reviews/:id/helpful', async (req, res) => {
  await named.vote([req.params.id, visitorOf(req.ip, req.get('User-Agent'))]);
  res.writeHead(204).end();
});

app.listen(socketOptions());
