/** The state files of jails, which the launcher reads. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { commandsOf, type Jail } from '../../policy/jail.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { pinDirectory } from '../../../packages/base/io/pinned-directory.ts';
import { replaceIn } from '../../../packages/base/io/replace-file.ts';
import { isKey, keyOf, type JailId, type JailKey } from '../core/jail-key.ts';
import { parseStateFile, formatStateFile, type JailStateFile } from '../core/state-file.ts';
import type { JailPaths } from './jail-paths.ts';

/** Creates their directory. */
export function ensureStateFiles({ base, tenants }: JailPaths): Result<void, Problem> {
  try {
    mkdirSync(dirname(base), { recursive: true, mode: 0o755 });
    mkdirSync(base, { recursive: true, mode: 0o700 });
    mkdirSync(tenants, { recursive: true, mode: 0o700 });
    return ok(undefined);
  } catch (error) {
    return failed({ action: 'create the directory', object: tenants, ...causeOf(error) });
  }
}

export function readStateFile(paths: JailPaths, key: JailKey): JailStateFile | undefined {
  const text = readText(`${paths.tenants}/${key}`);
  return text === undefined ? undefined : parseStateFile(text);
}

export function readStateFiles(paths: JailPaths): ReadonlyMap<JailKey, JailStateFile> {
  let names: readonly string[];
  try {
    names = readdirSync(paths.tenants);
  } catch {
    return new Map();
  }
  return new Map(
    names.filter(isKey).flatMap((key) => {
      const stateFile = readStateFile(paths, key);
      return stateFile === undefined ? [] : [[key, stateFile] as const];
    }),
  );
}

export function writeStateFile(
  paths: JailPaths,
  key: JailKey,
  stateFile: JailStateFile,
): Result<void, Problem> {
  const pinned = pinDirectory(paths.tenants, 'refuse');
  if (!pinned.ok) return pinned;
  using directory = pinned.value;
  return replaceIn(directory, key, formatStateFile(stateFile), { mode: 0o600, withoutSync: true });
}

export const removeStateFile = (paths: JailPaths, key: JailKey): void =>
  rmSync(`${paths.tenants}/${key}`, { force: true });

/**
 * Writes a state file for each jail that has none. From then on the launcher starts nothing for that tenant outside,
 * even if the builder fails. Sites come first, so that none of them starts in its tenant's jail meanwhile.
 */
export function announce(
  paths: JailPaths,
  tenants: readonly (JailId & { readonly jail: Jail })[],
): Result<void, Problem> {
  if (tenants.length === 0) return ok(undefined);
  const made = ensureStateFiles(paths);
  if (!made.ok) return made;
  const known = readStateFiles(paths);
  const isOfSite = ({ site }: JailId) => site !== undefined;
  for (const tenant of [...tenants.filter(isOfSite), ...tenants]) {
    const { jail } = tenant;
    const key = keyOf(tenant);
    if (known.has(key)) continue;
    const { profile, home } = jail;
    const commands = commandsOf(jail);
    const stateFile: JailStateFile = {
      profile,
      state: 'waiting',
      filter: false,
      landlock: false,
      commands,
      earlier: [],
      ...(home === undefined ? {} : { home }),
      print: '',
    };
    const written = writeStateFile(paths, key, stateFile);
    if (!written.ok) return written;
  }
  return ok(undefined);
}
