/**
 * Replaces a drop-in and restarts the service. The change counts as done when the service runs, stays up and listens as
 * before; otherwise everything is restored.
 */
import { failed, formatCause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { systemctl } from '../../host/systemd/systemctl.ts';
import { runBounded } from '../../sys/processes/run-bounded.ts';
import { FileTransaction, undoUnfinished } from '../../sys/files/file-transaction.ts';
import { dropInChange } from './drop-in-file.ts';
import { dropInOf, type ConfinePaths, type ConfinedService } from './places.ts';
import { waitUntilUp } from './settle.ts';
import { listensOn, readUnit } from './unit.ts';

export interface DropInChange {
  readonly places: ConfinePaths;
  readonly service: ConfinedService;
  /** The text of the drop-in; undefined: no drop-in. */
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** Whether to restart; if not, the drop-in is in force when the service starts next. */
  readonly restart: boolean;
}

/** `running`: restarted, and up. `next start`: the files are in place. */
type Outcome = 'running' | 'next start';

export async function applyDropIn(change: DropInChange): Promise<Result<Outcome, Problem>> {
  const { places, service, before, after, restart } = change;
  const now = await readUnit(service);
  if (!now.ok) return now;
  const runs = now.value.active === 'active';
  // The service would not come up again, sandbox or not.
  const accepted = runs && restart ? await checkConfiguration(service) : ok(undefined);
  if (!accepted.ok) return accepted;
  const listening = listensOn(places, now.value);
  const edit = dropInChange(dropInOf(places, service), before, after);
  const begun = FileTransaction.begin(journalOf(places, service), [edit]);
  if (!begun.ok) return begun;
  using transaction = begun.value;
  const written = transaction.write();
  if (!written.ok) return written;
  const result = await activate(change, runs && restart, listening);
  if (!result.ok) {
    const undone = transaction.rollback();
    return undone.ok ? takeBack(change, runs, result.error, listening) : undone;
  }
  const ended = transaction.commit();
  return ended.ok ? ok(runs && restart ? 'running' : 'next start') : ended;
}

const journalOf = ({ state }: ConfinePaths, { name }: ConfinedService) =>
  `${state}/${name}.journal`;

/** Undoes what a killed run has begun. The service is started again if it did not come up in that sandbox. */
export async function undoKilledDropIn(
  places: ConfinePaths,
  service: ConfinedService,
): Promise<Result<void, Problem>> {
  const undone = undoUnfinished(journalOf(places, service));
  if (!undone.ok) return undone;
  if (!undone.value) return ok(undefined);
  const read = await systemctl('daemon-reload');
  if (!read.ok) return read;
  const now = await readUnit(service);
  if (!now.ok) return now;
  if (['active', 'inactive'].includes(now.value.active)) return ok(undefined);
  const unit = `${service.unit}.service`;
  await systemctl('reset-failed', unit);
  const restarted = await systemctl('restart', unit);
  return restarted.ok ? ok(undefined) : restarted;
}

async function activate(
  { places, service }: DropInChange,
  restart: boolean,
  listening: ReadonlySet<string>,
): Promise<Result<void, Problem>> {
  const read = await systemctl('daemon-reload');
  if (!read.ok) return read;
  if (!restart) return ok(undefined);
  const restarted = await systemctl('restart', `${service.unit}.service`);
  if (!restarted.ok) return failed(await withLog(service, restarted.error));
  const up = await waitUntilUp(places, service, listening);
  return up.ok ? up : failed(await withLog(service, up.error));
}

/** Has the service run with the restored drop-in, and returns the problem. */
async function takeBack(
  { places, service }: DropInChange,
  ran: boolean,
  problem: Problem,
  listening: ReadonlySet<string>,
): Promise<Result<never, Problem>> {
  const unit = `${service.unit}.service`;
  const read = await systemctl('daemon-reload');
  if (!read.ok) return read;
  if (ran) {
    await systemctl('reset-failed', unit);
    const restarted = await systemctl('restart', unit);
    const up = restarted.ok ? await waitUntilUp(places, service, listening) : restarted;
    if (!up.ok) {
      const reason = `${problem.reason}; the change was undone, and the service does not come up either: ${up.error.reason}`;
      return failed({ ...problem, reason, hint: `see journalctl -u ${unit}` });
    }
  }
  const hint = `the change was undone${ran ? ', and the service runs as before' : ''}; see journalctl -u ${unit}`;
  return failed({ ...problem, hint });
}

/** Runs the program's own check of its configuration, if it has one. */
async function checkConfiguration(service: ConfinedService): Promise<Result<void, Problem>> {
  const { profile, name } = service;
  if (profile.check === undefined) return ok(undefined);
  const program = profile.service === 'php-fpm' ? `/usr/sbin/${fpmProgram(name)}` : profile.program;
  const run = await runBounded(program, profile.check);
  const cannot = { action: 'confine', object: name };
  if (!run.ok)
    return failed({ ...cannot, reason: `${program} did not judge it: ${formatCause(run.error)}` });
  if (run.value.status === 0) return ok(undefined);
  const { stderr, stdout } = run.value;
  const said = `${stderr}\n${Buffer.from(stdout).toString('utf8')}`.trim().split('\n')[0] ?? '';
  return failed({
    ...cannot,
    reason: `its configuration is not accepted by ${program}: ${said}`,
    hint: 'correct that first',
  });
}

/** Returns the program of a unit: `php8.4-fpm` is the unit of `php-fpm8.4`. */
const fpmProgram = (name: string) => name.replace(/^php(.*)-fpm$/, 'php-fpm$1');

async function withLog(service: ConfinedService, problem: Problem): Promise<Problem> {
  const args = ['-u', `${service.unit}.service`, '-n', '4', '-o', 'cat', '--no-pager'];
  const run = await runBounded('journalctl', args);
  const lines = run.ok ? Buffer.from(run.value.stdout).toString('utf8').trim() : '';
  if (lines === '') return problem;
  return { ...problem, reason: `${problem.reason} (${lines.split('\n').join(' | ')})` };
}
