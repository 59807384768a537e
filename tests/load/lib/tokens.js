// Visitors. Each vote comes from a new one: a repeated vote changes no row and would be cheaper.

import crypto from 'k6/crypto';
import encoding from 'k6/encoding';

import { config } from './config.js';

const LIFETIME_SECONDS = 3600;

let made = 0;

// Headers of a visitor nobody has seen. `run` tells this run from earlier ones.
export function newVisitor(run) {
  made += 1;
  const id = `${run}-${__VU}-${made}`;
  if (config.tokenKey) {
    return { Authorization: `Bearer ${token(id)}` };
  }
  if (config.visitorIdKey) {
    const signature = crypto.hmac('sha256', config.visitorIdKey, id, 'hex');
    return { 'X-Visitor-Id': `${id}.${signature}` };
  }
  return { 'User-Agent': `atelier-load/${id}` };
}

// A JSON Web Token, HS256.
function token(subject) {
  const claims = { sub: subject, exp: Math.floor(Date.now() / 1000) + LIFETIME_SECONDS };
  if (config.tokenAudience) {
    claims.aud = config.tokenAudience;
  }
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${crypto.hmac('sha256', config.tokenKey, signed, 'base64rawurl')}`;
}

function part(value) {
  return encoding.b64encode(JSON.stringify(value), 'rawurl');
}
