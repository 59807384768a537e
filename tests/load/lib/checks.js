// Shapes of the answers. Statuses are counted by k6 itself, for every request.

import { check } from 'k6';

const MONEY = /^\d+\.\d\d$/;

// `product` is the id that was asked for, of a product or of whatever the route is about.
const SHAPES = {
  product_list: (body) =>
    Array.isArray(body) && body.length > 0 && body.every((row) => MONEY.test(row.default_price)),
  product_detail: (body, product) => body.id === product && Array.isArray(body.features),
  product_styles: (body, product) =>
    body.product_id === String(product) &&
    Array.isArray(body.results) &&
    body.results.every((style) => style.photos.length > 0 && style.skus),
  product_related: (body) => Array.isArray(body) && body.every((id) => id > 0),
  review_list: (body, product) =>
    body.product === String(product) &&
    Array.isArray(body.results) &&
    body.results.every((review) => review.rating >= 1 && review.rating <= 5),
  review_meta: (body, product) =>
    body.product_id === String(product) &&
    ['ratings', 'recommended', 'characteristics'].every((key) => typeof body[key] === 'object'),
  account_detail: (body, userid) => body.data.length === 1 && body.data[0].userid === userid,
  profile_detail: (body, id) => body.id === id && body.full_name.length > 0,
  profile_search: (body) =>
    Array.isArray(body) && body.length > 0 && body.every((row) => row.profile_id && row.email_id),
};

export function checkShape(route, answer, product) {
  check(answer, { [`${route}: shape`]: () => hasShape(route, answer, product) });
}

function hasShape(route, answer, product) {
  try {
    return SHAPES[route](answer.json(), product);
  } catch {
    // No JSON, or a part is missing. An exception would end the iteration and count as no check.
    return false;
  }
}
