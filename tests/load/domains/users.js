// Accounts and profiles: what other services of the shop ask. No writes.

import { accountRead, profileRead, profileSearch } from '../lib/routes.js';

export const users = [
  accountRead('account_detail', 40, (userid) => `/user/${userid}`),
  profileRead('profile_detail', 40, (id) => `/profiles/${id}`),
  profileSearch('profile_search', 20, '/profiles/_search'),
];
