/** Policies of ve.cfg files, for tests. */
import assert from 'node:assert/strict';
import type { ParsedPolicy } from '../../src/policy/parse.ts';
import type { Account, Policy } from '../../src/policy/policy.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

const facts = (accounts: readonly Account[] = []) => ({ accounts, uidMin: 500 });

export const account = (user: string, uid: number): Account => ({ user, uid, gid: uid, home: '/' });

export const lve = (...inside: string[]) => `<lveconfig>${inside.join('\n')}</lveconfig>`;

export function resolved(
  { document, diagnostics }: ParsedPolicy,
  accounts: readonly Account[],
): Policy {
  assert.ok(document !== undefined);
  const policy = resolvePolicy(document, facts(accounts));
  assert.deepEqual(
    diagnostics.list.filter((each) => each.severity === 'error'),
    [],
  );
  return policy;
}
