// Reviews: a sixth of these requests are writes, so that they are 5 % of the mixed load.

import { creation, productRead, vote } from '../lib/routes.js';

const BODY = 'Written by a load test, at the length that a customer might take for it.';

export const reviews = [
  productRead('review_list', 15, (id) => `/reviews?product_id=${id}`),
  productRead('review_meta', 10, (id) => `/reviews/meta?product_id=${id}`),
  vote('review_helpful', 4, (id) => `/reviews/${id}/helpful`),
  creation('review_create', 1, '/reviews', newReview),
];

function newReview({ product, characteristics }) {
  const rating = 1 + Math.floor(Math.random() * 5);
  return {
    product_id: product,
    rating,
    summary: 'Load test',
    body: BODY,
    recommend: rating > 2,
    name: 'load test',
    email: 'load@example.com',
    photos: [],
    characteristics: Object.fromEntries(characteristics.map((id) => [id, rating])),
  };
}
