/**
 * Builds and removes jails, in a process of its own: it changes its namespaces, and a wrong call here must not affect
 * the agent. Its input is a `BuildRequest`, then the end. Its output is a `BuildAnswer`.
 */
import { rmdirSync, rmSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { deserialize, serialize } from 'node:v8';
import { pathsOf } from '../../../host/paths.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import { enterAction, type BuildAnswer, type BuildRequest } from './protocol.ts';
import { lockFile } from '../../../sys/files/flock.ts';
import { endWithParent } from '../../../sys/processes/child-script.ts';
import { requireSameBuild } from '../../../sys/processes/same-build.ts';
import { ownFileSystemState } from '../../../sys/mount-calls.ts';
import { jailPathsOf, type JailPaths } from '../jail-paths.ts';
import { appliesLandlock } from '../landlock.ts';
import { ensureStateFiles } from '../state-files.ts';
import { causeOfCall } from './call-failed.ts';
import { costOf } from './cost.ts';
import { listDirectories } from './list.ts';
import { removeTemporary } from './temporary.ts';
import { Builder } from './builder.ts';
import { Vault } from './vault.ts';

/** The time that one builder waits for another. */
const lockMilliseconds = 120_000;

const nothing: BuildAnswer = {
  built: [],
  kept: 0,
  dropped: [],
  problems: [],
  sockets: [],
  listings: [],
  cost: undefined,
  milliseconds: 0,
};

function answer(request: BuildRequest): BuildAnswer {
  const paths = jailPathsOf(pathsOf(request.instance));
  try {
    ownFileSystemState();
    using vault = new Vault(paths);
    const started = performance.now();
    const done = act(request, vault, paths);
    return { ...nothing, ...done, milliseconds: performance.now() - started };
  } catch (error) {
    const action = request.kind === 'release' ? 'remove the jails' : enterAction;
    return { ...nothing, problems: [{ action, ...causeOfCall(error) }] };
  }
}

function act(request: BuildRequest, vault: Vault, paths: JailPaths): Partial<BuildAnswer> {
  if (request.kind === 'list' || request.kind === 'cost') {
    if (!vault.exists) return {};
    vault.open();
    if (request.kind === 'cost') return { cost: costOf(vault, paths) };
    return { listings: listDirectories(request, vault, paths) };
  }
  const made = ensureStateFiles(paths);
  if (!made.ok) return { problems: [made.error] };
  const lock = lockFile(paths.lock, { waitMs: lockMilliseconds });
  if (!lock.ok) return { problems: [lock.error] };
  using _lock = lock.value;
  if (request.kind === 'release') return { problems: release(vault, paths) };
  const landlock = appliesLandlock(pathsOf(request.instance));
  return new Builder(request, vault, paths, landlock).build();
}

function release(vault: Vault, paths: JailPaths): readonly Problem[] {
  const problems = removeTemporary(paths, () => false);
  vault.remove();
  removeSocketDirectories(paths);
  if (problems.length === 0) rmSync(paths.places, { force: true });
  return problems;
}

/**
 * Removes the directories of the broker and of the agent's socket. Sockets belong to the listeners, which may go on: a
 * directory with a socket stays.
 */
function removeSocketDirectories({
  broker,
  siteBroker,
  agent,
  ownDatabases,
  slots,
  mail,
  programs,
}: JailPaths): void {
  for (const each of [slots, mail, programs]) rmSync(each, { recursive: true, force: true });
  for (const each of [broker, siteBroker, agent, ownDatabases]) {
    try {
      rmdirSync(each);
    } catch {
      // The directory does not exist, or is in use.
    }
  }
}

requireSameBuild();
endWithParent();
const request = deserialize(await buffer(process.stdin)) as BuildRequest;
process.stdout.write(serialize(answer(request)));
