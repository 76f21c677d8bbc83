/** The common part of tests of what `prove` creates: paths of a host, and policies. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathsOf, type Paths } from '../../src/host/paths.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import type { Account } from '../../src/policy/policy.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

export const root = suiteDirectory('prove-scratch', '/var/tmp');
export const paths: Paths = {
  ...pathsOf('bulkhead-proveparts'),
  proc: join(root, 'proc'),
  sys: join(root, 'sys'),
  etc: join(root, 'etc'),
  runtime: join(root, 'run'),
};
export const put = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
export const onlyRoot = process.geteuid?.() === 0 ? false : 'only root can give files to others';

export function policyOf(body: string, accounts: readonly Account[] = []) {
  const { document } = parsePolicy('p.xml', `<bulkhead version="1">${body}</bulkhead>`);
  assert.ok(document && !document.diagnostics.failed);
  return { document, policy: resolvePolicy(document, { accounts, uidMin: 1000 }) };
}
