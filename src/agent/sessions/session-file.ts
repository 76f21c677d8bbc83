/**
 * The sessions of the console on disk: `/run/bulkhead/sessions`, mode 0600. They survive a restart of the agent and no
 * reboot: times count from the boot, whose id is in the file.
 *
 *     {"version":1,"boot":"9f…","sessions":[{"hash":"ab…","login":{…},"startedAt":1764500000000,"started":51.2,"seen":60.7}]}
 */
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { decodeText, openRegularFile, readWhole } from '../../../packages/base/io/regular-file.ts';
import { removeFile, replaceStateFile } from '../../../packages/base/io/replace-file.ts';
import type { Account, Login } from './login.ts';

export interface StoredSession {
  /** SHA-256 of the token, in hexadecimal. */
  readonly hash: string;
  readonly login: Login;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** Seconds since the boot. */
  readonly started: number;
  /** The last request; seconds since the boot. */
  readonly seen: number;
}

const version = 1;
const idPattern = /^[0-9a-f]{16}$/;
const bytesMax = 4 * 2 ** 20;

/** Returns the sessions; none if the file is missing or of another boot. */
export function readSessions(
  path: string,
  boot: string,
): Result<readonly StoredSession[], Problem> {
  const opened = openRegularFile(path, { links: 'refuse' });
  if (!opened.ok) return opened.error.errno === 'ENOENT' ? ok([]) : opened;
  using file = opened.value;
  const refuse = (reason: string) =>
    failed({ action: 'use the sessions in', object: path, reason });
  const { uid, mode } = file.stat;
  if (uid !== (process.geteuid?.() ?? 0)) return refuse(`it belongs to uid ${uid}`);
  if ((mode & 0o077) !== 0) return refuse('others can read or write it');
  const read = readWhole(file, bytesMax);
  if (!read.ok) return read;
  const sessions = parseSessions(decodeText(read.value), boot);
  return sessions === undefined ? refuse('its content is not what an agent writes') : ok(sessions);
}

/** Writes the sessions. If that fails, the file is removed: a session that has ended must not come back. */
export function writeSessions(
  path: string,
  boot: string,
  sessions: readonly StoredSession[],
): Result<void, Problem> {
  const written = replaceStateFile(path, `${JSON.stringify({ version, boot, sessions })}\n`);
  if (!written.ok) removeFile(path);
  return written;
}

/** Returns undefined if a part of the text is not as expected. */
function parseSessions(text: string, boot: string): readonly StoredSession[] | undefined {
  const file = fieldsOf(parsed(text));
  if (file?.['version'] !== version || !Array.isArray(file['sessions'])) return undefined;
  if (file['boot'] !== boot) return [];
  const sessions = file['sessions'].map(sessionOf);
  return sessions.every((each) => each !== undefined) ? sessions : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;

function sessionOf(value: unknown): StoredSession | undefined {
  const { hash, login, startedAt, started, seen } = fieldsOf(value) ?? {};
  const { account, by, readOnly, within } = fieldsOf(login) ?? {};
  const [of, maker] = [accountOf(account), accountOf(by)];
  if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash)) return undefined;
  if (of === undefined || maker === undefined || typeof readOnly !== 'boolean') return undefined;
  if (!isTime(startedAt) || !isTime(started) || !isTime(seen)) return undefined;
  if (within !== undefined && !(typeof within === 'string' && idPattern.test(within)))
    return undefined;
  const from = within !== undefined && { within };
  return { hash, login: { account: of, by: maker, readOnly, ...from }, startedAt, started, seen };
}

function accountOf(value: unknown): Account | undefined {
  const { uid, user, isLocal } = fieldsOf(value) ?? {};
  if (typeof uid !== 'number' || !Number.isInteger(uid) || uid < 0) return undefined;
  if (typeof user !== 'string' || typeof isLocal !== 'boolean') return undefined;
  return { uid, user, isLocal };
}

const isTime = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0;
