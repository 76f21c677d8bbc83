/** Starts the distribution's service with the sockets of tenants' services, which go on listening meanwhile. */
import { dirname } from 'node:path';
import { failed, type Problem } from '../../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../../packages/base/result.ts';
import { systemctl, unitProperties } from '../../../../host/systemd/systemctl.ts';
import { passingDropIn, startWords } from '../../../core/fpm/service/passing.ts';
import { applyFileChanges, file, removeEmptyDirectories } from '../../../../sys/files/file-set.ts';

export interface Passing {
  readonly instance: string;
  /** The distribution's service. */
  readonly unit: string;
  /** Socket units, which listen. */
  readonly sockets: readonly string[];
}

export async function startWithSockets(
  { instance, unit, sockets }: Passing,
  word: 'start' | 'restart',
): Promise<Result<void, Problem>> {
  const shown = await unitProperties(unit, ['ExecStart']);
  if (!shown.ok) return shown;
  const words = startWords(shown.value.get('ExecStart') ?? '');
  if (words === undefined) {
    const reason = 'its ExecStart= is not one plain command';
    return failed({ action: 'pass sockets to', object: unit, reason });
  }
  // It is gone after a reboot, whatever happens.
  const path = `/run/systemd/system/${unit}.d/${instance}-sockets.conf`;
  const written = applyFileChanges([{ path, to: file(passingDropIn(sockets, words)) }]);
  const started = written.ok ? await reloadAnd(() => systemctl(word, unit)) : written;
  const removed = applyFileChanges([{ path }]);
  removeEmptyDirectories([dirname(path)]);
  const reloaded = await reloadAnd(() => Promise.resolve(removed));
  return started.ok ? reloaded : started;
}

async function reloadAnd(
  act: () => Promise<Result<unknown, Problem>>,
): Promise<Result<void, Problem>> {
  const reloaded = await systemctl('daemon-reload');
  if (!reloaded.ok) return reloaded;
  const done = await act();
  return done.ok ? ok(undefined) : done;
}
