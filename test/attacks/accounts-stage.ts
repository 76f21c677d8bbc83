/** Accounts of this host that a test makes and removes. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

export function addAccount(name: string, uid: number): void {
  execFileSync('useradd', ['-m', '-u', String(uid), name], { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Makes an account of the system, as packages do for their services, and returns its uid. */
export function addSystemAccount(name: string): number {
  execFileSync('useradd', ['--system', '--no-create-home', '--shell', '/bin/false', name], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return Number(execFileSync('id', ['-u', name], { encoding: 'utf8' }));
}

/** Removes an account with its home, if there is one. */
export function removeAccount(name: string): void {
  try {
    execFileSync('userdel', ['-r', '-f', name], { stdio: 'ignore' });
  } catch {
    // There is none.
  }
}

/** Returns why accounts cannot be made here. */
export function accountsObstacle(): string | false {
  const missing = ['useradd', 'userdel'].find((each) => !existsSync(`/usr/sbin/${each}`));
  return missing === undefined ? false : `needs ${missing}`;
}
