/** Homes of tenants that exist only in the tests: uids 610000 and up, below a directory of the test. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, lchownSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { closeEntry, Memory, openEntry, openFlags } from '../../src/sys/files/entries.ts';
import { HomeWalk, type WalkOptions } from '../../src/symlinks/io/audit/home-walk.ts';
import { auditHomes, type Audit, type AuditOptions } from '../../src/symlinks/io/audit/audit.ts';
import type { Accounts } from '../../src/symlinks/io/audit/protocol.ts';

export const alice = 610_001;
export const bob = 610_002;
export const needsRoot = process.geteuid?.() === 0 ? false : 'only root may give files away';

export class Stage implements Disposable {
  readonly root = mkdtempSync('/var/tmp/bulkhead-audit-');
  readonly alice = join(this.root, 'alice');
  readonly bob = join(this.root, 'bob');

  constructor() {
    this.directory(this.alice, alice);
    this.directory(this.bob, bob);
  }

  directory(path: string, owner: number): string {
    mkdirSync(path, { mode: 0o755 });
    chownSync(path, owner, owner);
    return path;
  }

  file(path: string, owner: number, mode = 0o644): string {
    writeFileSync(path, '', { mode });
    chownSync(path, owner, owner);
    return path;
  }

  link(target: string | Buffer, path: string | Buffer, owner: number): void {
    symlinkSync(target, path);
    lchownSync(path, owner, owner);
  }

  accounts(more: Partial<Accounts> = {}): Accounts {
    return {
      proc: '/proc',
      homes: [
        { uid: alice, path: this.alice, ranges: [] },
        { uid: bob, path: this.bob, ranges: [] },
      ],
      names: [
        [alice, 'alice'],
        [bob, 'bob'],
        [0, 'root'],
      ],
      hardLinks: true,
      findingsMax: 1000,
      ...more,
    };
  }

  audit(more: Partial<Accounts> = {}, options: AuditOptions = {}): Promise<Audit> {
    return auditHomes(this.accounts(more), options);
  }

  [Symbol.dispose](): void {
    // Deeper than Node can remove.
    execFileSync('rm', ['-rf', this.root], { cwd: dirname(this.root) });
  }
}

interface Seen {
  readonly names: string[];
  readonly problems: string[];
}

export function walk(home: string, more: Partial<WalkOptions> = {}): Seen {
  const seen: Seen = { names: [], problems: [] };
  const note = (name: number) => seen.names.push(visit.pathAt(name));
  const visit: HomeWalk = new HomeWalk(
    {
      file: note,
      link: (_, name) => note(name),
      problem: (path, cause) => seen.problems.push(`${path}: ${cause.reason}`),
      alive: () => {},
    },
    { except: new Set(), ...more },
  );
  const fd = openEntry(-100, new Memory(4096).write(home), openFlags.path | openFlags.directory);
  assert.ok(fd >= 0);
  visit.run(fd, home);
  closeEntry(fd);
  return seen;
}
