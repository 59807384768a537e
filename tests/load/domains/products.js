// The catalogue: no writes.

import { pageRead, productRead } from '../lib/routes.js';

export const products = [
  pageRead('product_list', 10, (page) => `/products?page=${page}`),
  productRead('product_detail', 20, (id) => `/products/${id}`),
  productRead('product_styles', 25, (id) => `/products/${id}/styles`),
  productRead('product_related', 15, (id) => `/products/${id}/related`),
];
