/**
 * Masters of tenants that run with another PHP, other extensions or another php.ini than are installed now. They read
 * new files when the distribution's service does, as if their pools were its own.
 *
 *     1795701743204                   /run/bulkhead/fpm-8.4.read: when the newest of these files came, in milliseconds
 */
import { globSync, lstatSync, statSync } from 'node:fs';
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { replaceFile } from '../../../../packages/base/io/replace-file.ts';
import { settingsOf } from '../../../layouts/layouts.ts';
import { unitStem } from '../../core/fpm/service/units.ts';
import type { FpmLayout } from './layout.ts';
import { systemctlEach, unitStates } from '../../../host/systemd/systemctl.ts';

/** Reloads outdated masters. Requests in progress are finished, and those that come in meanwhile wait. */
export async function reloadOutdated(layout: FpmLayout): Promise<Result<void, Problem>> {
  const newest = `${newestChange(filesOf(layout))}\n`;
  if (readText(layout.read) === newest) return ok(undefined);
  const states = await unitStates(`${unitStem(layout)}@*.service`);
  if (!states.ok) return states;
  const running = [...states.value.values()].filter(({ active }) => active === 'active');
  const units = running.map(({ unit }) => unit);
  const told = await systemctlEach(['try-reload-or-restart', '--no-block'], units);
  return told.ok ? replaceFile(layout.read, newest) : told;
}

/** The program, php.ini and extensions. */
const filesOf = ({ program, php }: Pick<FpmLayout, 'program' | 'php'>) => [
  program,
  ...settingsOf(php).flatMap((each) => globSync(each)),
];

/**
 * Returns when the newest of these files came to its place. Packages keep modification times, so change times are
 * compared.
 */
const newestChange = (files: readonly string[]): number =>
  files.reduce((newest, file) => Math.max(newest, changeOf(file)), 0);

function changeOf(file: string): number {
  const options = { throwIfNoEntry: false } as const;
  const times = [lstatSync(file, options), statSync(file, options)];
  return Math.floor(Math.max(...times.map((each) => each?.ctimeMs ?? 0)));
}
