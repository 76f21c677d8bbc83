/** Rules of digests for tests. */
import type { DigestRule } from '../../src/policy/settings.ts';

export const digestRule = (changes: Partial<DigestRule> = {}): DigestRule => ({
  to: 'tenant',
  address: undefined,
  every: 'week',
  day: 'monday',
  atMinutes: 420,
  useFraction: 0.8,
  fullMilliseconds: 14 * 86_400_000,
  language: 'en',
  messagesMax: 1000,
  ...changes,
});
