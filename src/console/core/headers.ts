/**
 * The headers of every response of the console. The page loads nothing from elsewhere, turns no text into HTML (Trusted
 * Types), sends no form and no address, and is in no frame except on pages of the named panels.
 */
import { nameInOrigin } from './hosts.ts';

export type Headers = Readonly<Record<string, string>>;

/** Returns the origins that may frame the console, for example `https://panel.example:2083`; undefined if one is not an origin. */
export function frameAncestors(origins: readonly string[]): readonly string[] | undefined {
  const isGood = (origin: string) =>
    origin.startsWith('https://') && nameInOrigin(origin) !== undefined;
  return origins.every(isGood) ? origins : undefined;
}

const policyOf = (ancestors: readonly string[]) =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    `frame-ancestors ${ancestors.length === 0 ? "'none'" : ancestors.join(' ')}`,
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');

/** Returns the headers that files and answers have alike. */
export const commonHeaders = (ancestors: readonly string[]): Headers => ({
  'content-security-policy': policyOf(ancestors),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
});

export const apiHeaders: Headers = { 'cache-control': 'no-store' };

/** A file whose name has a hash of its content never changes. */
export const fileHeaders = (isImmutable: boolean): Headers => ({
  'cache-control': isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache',
});

/** Returns the headers of the agent's answer that are passed on. */
export function passedHeaders(
  answer: Readonly<Record<string, string | string[] | undefined>>,
): Headers {
  const { 'content-type': type, 'retry-after': after } = answer;
  const isJson = typeof type === 'string' && /^application\/json(?: *;|$)/.test(type);
  return {
    'content-type': isJson ? 'application/json' : 'text/plain; charset=utf-8',
    ...(typeof after === 'string' && /^\d{1,5}$/.test(after) ? { 'retry-after': after } : {}),
  };
}
