/** The PAM files of this host, and the files from which pam-auth-update makes some of them. */
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { namesIn } from '../../../packages/base/io/read.ts';
import { readBounded, decodeText } from '../../../packages/base/io/regular-file.ts';
import { profileNames } from '../core/profiles.ts';
import type { PamReader } from '../core/stack.ts';

const services = '/etc/pam.d';
/** The directory that libpam reads if the administrator has no file of that name. */
const vendorServices = '/usr/lib/pam.d';
export const profileDirectory = '/usr/share/pam-configs';

const commons = ['auth', 'account', 'password', 'session', 'session-noninteractive'] as const;
export const commonFiles = ['common-session', 'common-session-noninteractive'] as const;
export const accountFile = 'common-account';

export const serviceFile = (name: string) => `${services}/${name}`;

/** The files that pam-auth-update writes, and our profiles. */
export const managedFiles: readonly string[] = [
  ...commons.map((each) => serviceFile(`common-${each}`)),
  ...[...commons, 'seen'].map((each) => `/var/lib/pam/${each}`),
  ...profileNames.map((each) => `${profileDirectory}/${each}`),
];

/** The text of each managed file; absent if there is none. */
export type PamSnapshot = ReadonlyMap<string, string | undefined>;

const bytesMax = 1024 * 1024;

/** Reads the files below `root`; the keys are their paths on the host. */
export function readPamSnapshot(root: string): Result<PamSnapshot, Problem> {
  const found = new Map<string, string | undefined>();
  for (const path of managedFiles) {
    const text = readFile(`${root}${path}`);
    if (!text.ok) return text;
    found.set(path, text.value);
  }
  return ok(found);
}

function readFile(path: string): Result<string | undefined, Problem> {
  const read = readBounded(path, bytesMax);
  if (!read.ok) return read.error.errno === 'ENOENT' ? ok(undefined) : read;
  const text = decodeText(read.value);
  if (Buffer.from(text).equals(read.value)) return ok(text);
  return failed({ action: 'read', object: path, reason: 'it is not UTF-8 text' });
}

/** Returns a reader that works like libpam; `instead` has the planned text of files. */
export function pamReader(instead: PamSnapshot = new Map()): PamReader {
  const known = new Map<string, string | undefined>();
  return (file) => {
    const path = serviceFile(file);
    if (instead.has(path)) return instead.get(path);
    if (!known.has(file)) known.set(file, readService(file));
    return known.get(file);
  };
}

function readService(file: string): string | undefined {
  const places = file.startsWith('/') ? [''] : [`${services}/`, `${vendorServices}/`];
  for (const place of places) {
    const read = readBounded(`${place}${file}`, bytesMax);
    if (read.ok) return decodeText(read.value);
  }
  return undefined;
}

/** Names of services, without the files that are only included. */
export function serviceNames(): readonly string[] {
  const names = [services, vendorServices].flatMap(namesIn);
  return [...new Set(names)]
    .filter((name) => /^[A-Za-z0-9][A-Za-z0-9_.@-]*$/.test(name) && !isPart(name))
    .sort();
}

/**
 * Whether other files include this one: Debian's common-session, enterprise Linux's system-auth. Also true of files
 * that package managers leave behind.
 */
const isPart = (name: string) =>
  /^common-|-auth$|^postlogin|\.(dpkg|rpm|pam|ucf|authselect)[a-z-]*$|~$/.test(name) ||
  name === 'other';
