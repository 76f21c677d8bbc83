/** Links that have systemd start a unit with a target: `multi-user.target.wants/bulkhead-tenants.service`. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';

/**
 * Makes the link, unless something of that name is there. "systemctl enable" does the same, but systemd then takes each
 * unit of the host for changed, until it reads the files of all units again.
 */
export function makeWantsLink(path: string): Result<void, Problem> {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    symlinkSync(`../${basename(path)}`, path);
    return ok(undefined);
  } catch (error) {
    const cause = causeOf(error);
    if (cause.errno === 'EEXIST') return ok(undefined);
    return failed({ ...cause, action: 'link', object: path });
  }
}
