// Express with pg and a pool, in the style of most tutorials and services.
import express from 'express';
import pg from 'pg';
import { campus, pageOf, poolSettings, socketOptions, visitorOf } from '../server.js';
import * as sql from '../sql.js';

const pool = new pg.Pool(poolSettings);
const app = express();
app.set('trust proxy', true);

app.param('id', (req, res, next, id) => {
  if (!/^\d+$/.test(id)) return res.status(404).send('Error: invalid id provided');
  next();
});

app.get('/products/:id', async (req, res) => {
  const { rows } = await pool.query(sql.detail, [req.params.id, campus]);
  if (rows.length === 0) return res.status(404).send('Error: invalid product id provided');
  res.json(rows[0].answer);
});

app.get('/products/:id/styles', async (req, res) => {
  const { rows } = await pool.query(sql.styles, [req.params.id]);
  res.json(rows[0].answer);
});

app.get('/products/:id/related', async (req, res) => {
  const { rows } = await pool.query(sql.related, [req.params.id]);
  res.json(rows[0].answer);
});

app.get('/reviews', async (req, res) => {
  const { page, count } = pageOf(req.query);
  const statement = req.query.sort === 'newest' ? sql.newest : sql.helpful;
  const { rows } = await pool.query(statement, [req.query.product_id, page, count]);
  res.json(rows[0].answer);
});

app.get('/reviews/meta', async (req, res) => {
  const { rows } = await pool.query(sql.meta, [req.query.product_id]);
  res.json(rows[0].answer);
});

app.put('/reviews/:id/helpful', async (req, res) => {
  const visitor = visitorOf(req.ip, req.get('User-Agent'));
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(sql.openDoor);
    const vote = await client.query(sql.insertVote, [req.params.id, visitor]);
    if (vote.rowCount === 1) await client.query(sql.countVote, [req.params.id]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
  res.sendStatus(204);
});

app.listen(socketOptions());
