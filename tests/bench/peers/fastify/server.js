// Fastify with the same tuning as express-tuned.
import fastify from 'fastify';
import pg from 'pg';
import { campus, pageOf, poolSettings, socketOptions, visitorOf } from '../server.js';
import * as sql from '../sql.js';

const pool = new pg.Pool({
  ...poolSettings,
  idleTimeoutMillis: 0,
  options: sql.openDoorOption,
  types: { getTypeParser: () => (text) => text },
});
const app = fastify({ logger: false, trustProxy: true });

const named = Object.fromEntries(
  ['detail', 'styles', 'related', 'newest', 'helpful', 'meta', 'vote'].map((name) => [
    name,
    (values) => pool.query({ name, text: sql[name], values, rowMode: 'array' }),
  ]),
);

function answer(reply, { rows }) {
  if (rows.length === 0) return reply.code(404).send('Error: invalid product id provided');
  return reply.type('application/json; charset=utf-8').send(rows[0][0]);
}

const withId = { schema: { params: { type: 'object', properties: { id: { type: 'integer' } } } } };

app.get('/products/:id', withId, async (request, reply) =>
  answer(reply, await named.detail([request.params.id, campus])),
);

app.get('/products/:id/styles', withId, async (request, reply) =>
  answer(reply, await named.styles([request.params.id])),
);

app.get('/products/:id/related', withId, async (request, reply) =>
  answer(reply, await named.related([request.params.id])),
);

app.get('/reviews', async (request, reply) => {
  const { page, count } = pageOf(request.query);
  const list = request.query.sort === 'newest' ? named.newest : named.helpful;
  return answer(reply, await list([request.query.product_id, page, count]));
});

app.get('/reviews/meta', async (request, reply) =>
  answer(reply, await named.meta([request.query.product_id])),
);

app.put('/reviews/:id/helpful', withId, async (request, reply) => {
  await named.vote([request.params.id, visitorOf(request.ip, request.headers['user-agent'])]);
  return reply.code(204).send();
});

await app.listen(socketOptions());
