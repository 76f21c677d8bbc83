/** Trees of files as panels write them, for tests, and scripts of a panel with CPAPI that behave as badly as real ones. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { pathsOf, type Paths } from '../src/host/paths.ts';

export interface PanelTree {
  /** The directory that holds the host's file system. */
  readonly root: string;
  readonly paths: Paths;
  /** Writes a file, with the directories above it. */
  readonly write: (path: string, text: string, mode?: number) => void;
}

/** Makes a host with accounts in `/etc/passwd`. */
export function panelTree(root: string, accounts: Readonly<Record<string, number>>): PanelTree {
  const write = (path: string, text: string, mode = 0o644) => {
    mkdirSync(dirname(root + path), { recursive: true, mode: 0o755 });
    writeFileSync(root + path, text);
    chmodSync(root + path, mode);
  };
  const all = { root: 0, daemon: 1, nobody: 65_534, ...accounts };
  const lines = Object.entries(all).map(
    ([user, uid]) => `${user}:x:${uid}:${uid}::/home/${user}:/bin/sh\n`,
  );
  write('/etc/passwd', lines.join(''));
  write('/etc/login.defs', 'UID_MIN 1000\nUID_MAX 60000\n');
  const own = { etc: `${root}/etc`, runtime: `${root}/run`, state: `${root}/state` };
  mkdirSync(own.runtime);
  mkdirSync(own.state);
  return { root, write, paths: { ...pathsOf('bulkhead-panel-test'), ...own } };
}

export const quoted = (values: Readonly<Record<string, string>>): string =>
  Object.entries(values)
    .map(([key, value]) => `${key}='${value}'\n`)
    .join('');

export const plain = (values: Readonly<Record<string, string>>): string =>
  Object.entries(values)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');

/** A user of HestiaCP, with the keys of a new account that matter here. */
export function hestiaUser(
  { write }: PanelTree,
  user: string,
  values: Readonly<Record<string, string>> = {},
  domains: readonly string[] = [],
): void {
  const all = {
    NAME: user,
    PACKAGE: 'default',
    WEB_DOMAINS: '100',
    DISK_QUOTA: 'unlimited',
    CONTACT: `${user}@mail.example`,
    ROLE: 'user',
    ...values,
  };
  const directory = `/usr/local/hestia/data/users/${user}`;
  write(`${directory}/user.conf`, quoted(all), 0o660);
  const lines = domains.map(
    (name) => `DOMAIN='${name}' IP='192.0.2.1' ALIAS='www.${name}' SSL='no' SUSPENDED='no'\n`,
  );
  write(`${directory}/web.conf`, lines.join(''), 0o660);
}

export function hestiaPackage(
  { write }: PanelTree,
  name: string,
  values: Readonly<Record<string, string>> = {},
): void {
  const all = { WEB_DOMAINS: '100', DATABASES: '10', DISK_QUOTA: 'unlimited', ...values };
  write(`/usr/local/hestia/data/packages/${name}.pkg`, quoted(all));
}

export const cpapiScripts = [
  'panel_info',
  'users',
  'packages',
  'domains',
  'resellers',
  'admins',
] as const;
export type CpapiScript = (typeof cpapiScripts)[number];

/** A script's answer as data, or the body of a shell script. */
export type Answer = { readonly data: unknown } | { readonly shell: string };

/** Writes the ini and the scripts of a panel with CPAPI. */
export function cpapiPanel(
  { root, write }: PanelTree,
  answers: Readonly<Partial<Record<CpapiScript, Answer>>>,
  commandOf: (path: string, name: CpapiScript) => string = (path) => path,
): void {
  const lines = ['[integration_scripts]'];
  for (const name of cpapiScripts) {
    const answer = answers[name];
    if (answer === undefined) continue;
    const path = `/opt/cpvendor/bin/${name}`;
    write(path, `#!/bin/sh\n${shellOf(answer)}\n`, 0o755);
    lines.push(`${name} = ${commandOf(root + path, name)}`);
  }
  write(
    '/opt/cpvendor/etc/integration.ini',
    `${lines.join('\n')}\n\n[lvemanager_config]\nbase_path = /x\n`,
  );
}

function shellOf(answer: Answer): string {
  if ('shell' in answer) return answer.shell;
  const json = JSON.stringify({ data: answer.data, metadata: { result: 'ok' } });
  return `cat <<'END'\n${json}\nEND`;
}
