// One statement a route, in which PostgreSQL builds the whole answer. All peers share them.

const product = `
  'id', p.id, 'campus', $2::text, 'name', p.name, 'slogan', p.slogan,
  'description', p.description, 'category', p.category,
  'default_price', p.default_price::text,
  'created_at', to_char(p.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'updated_at', to_char(p.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

export const detail = `
  SELECT json_build_object(${product},
    'features', coalesce((
      SELECT json_agg(json_build_object('feature', f.feature, 'value', f.value) ORDER BY f.id)
      FROM products_feature f WHERE f.product_id = p.id
    ), '[]'::json)
  ) AS answer
  FROM products_product p WHERE p.id = $1`;

export const styles = `
  SELECT json_build_object('product_id', $1::bigint::text, 'results', coalesce((
    SELECT json_agg(json_build_object(
      'style_id', s.id, 'name', s.name,
      'original_price', s.original_price::text, 'sale_price', s.sale_price::text,
      'default?', s.is_default,
      'photos', coalesce((
        SELECT json_agg(
          json_build_object('thumbnail_url', p.thumbnail_url, 'url', p.url) ORDER BY p.id)
        FROM products_photo p WHERE p.style_id = s.id
      ), '[{"thumbnail_url":null,"url":null}]'::json),
      'skus', coalesce((
        SELECT json_object_agg(k.id, json_build_object('quantity', k.quantity, 'size', k.size))
        FROM products_sku k WHERE k.style_id = s.id
      ), '{"null":{"quantity":null,"size":null}}'::json)
    ) ORDER BY s.id)
    FROM products_style s WHERE s.product_id = $1
  ), '[]'::json)) AS answer`;

export const related = `
  SELECT coalesce(json_agg(related_product_id ORDER BY id), '[]'::json) AS answer
  FROM products_relatedproduct WHERE product_id = $1`;

const list = (order) => `
  SELECT json_build_object(
    'product', $1::bigint::text, 'page', $2::int, 'count', $3::int,
    'results', coalesce(json_agg(json_build_object(
      'review_id', r.id, 'rating', r.rating, 'summary', r.summary, 'recommend', r.recommend,
      'response', coalesce(r.staff_response, r.response), 'body', r.body,
      'date', to_char(r.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T00:00:00.000Z"'),
      'reviewer_name', r.reviewer_name, 'helpfulness', r.helpfulness,
      'photos', coalesce((
        SELECT json_agg(json_build_object('id', p.id, 'url', p.url) ORDER BY p.id)
        FROM reviews_reviewphoto p WHERE p.review_id = r.id
      ), '[]'::json)
    ) ORDER BY ${order}), '[]'::json)
  ) AS answer
  FROM (
    SELECT * FROM reviews_review r WHERE r.product_id = $1 AND r.is_listed
    ORDER BY ${order} LIMIT $3::int OFFSET $2::int * $3::int
  ) r`;

export const newest = list('r.created_at DESC, r.id DESC');
export const helpful = list('r.helpfulness DESC, r.id DESC');

export const meta = `
  SELECT json_build_object(
    'product_id', $1::bigint::text,
    'ratings', coalesce((
      SELECT json_strip_nulls(json_build_object(
        '1', nullif(rating_1, 0)::text, '2', nullif(rating_2, 0)::text,
        '3', nullif(rating_3, 0)::text, '4', nullif(rating_4, 0)::text,
        '5', nullif(rating_5, 0)::text))
      FROM reviews_reviewmeta WHERE product_id = $1
    ), '{}'::json),
    'recommended', coalesce((
      SELECT json_strip_nulls(json_build_object(
        'false', nullif(not_recommended_count, 0)::text, 'true', nullif(recommended_count, 0)::text))
      FROM reviews_reviewmeta WHERE product_id = $1
    ), '{}'::json),
    'characteristics', coalesce((
      SELECT json_object_agg(c.name, json_build_object('id', c.id, 'value', c.value)) FROM (
        SELECT DISTINCT ON (c.name) c.id, c.name,
          round(m.value_sum::numeric / nullif(m.value_count, 0), 16)::text AS value
        FROM reviews_characteristic c
        LEFT JOIN reviews_characteristicmeta m ON m.characteristic_id = c.id
        WHERE c.product_id = $1 ORDER BY c.name, c.id
      ) c
    ), '{}'::json)
  ) AS answer`;

// The database refuses writes that do not say which cached answers they touch. Peers cache nothing.
export const openDoor = `SELECT set_config('atelier.scopes', 'peer', true)`;
export const openDoorOption = '-c atelier.scopes=peer';

export const insertVote = `
  INSERT INTO reviews_helpfulvote (review_id, visitor)
  SELECT id, $2 FROM reviews_review WHERE id = $1
  ON CONFLICT (review_id, visitor) DO NOTHING`;
export const countVote = 'UPDATE reviews_review SET vote_count = vote_count + 1 WHERE id = $1';

// Both at once, and as one statement a transaction.
export const vote = `
  WITH vote AS (${insertVote} RETURNING review_id)
  UPDATE reviews_review SET vote_count = vote_count + 1 FROM vote WHERE id = vote.review_id`;
