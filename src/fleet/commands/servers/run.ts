/**
 * `bulkhead fleet server run`: the process of the centre. It uploads what people have published, and collects what hosts
 * tell. It runs without any rights, as `bulkhead-fleet-server.service`.
 */
import { join } from 'node:path';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith } from '../../../cli/shared/output.ts';
import { untilStopped } from '../until-stopped.ts';
import { serverDirectoryOption, type ServerOptions } from './directory.ts';

async function runCentre({ directory }: ServerOptions): Promise<ExitCode> {
  // Only this command needs the client of NATS.
  const { becomeOwnerOf } = await import('../../io/server/as-owner.ts');
  const { readCredential } = await import('../../io/nats/connect.ts');
  const { Centre } = await import('../../io/server/centre.ts');
  const { CentreStore } = await import('../../io/server/centre-store.ts');
  const { makeLog } = await import('../../../agent/log.ts');
  const owner = becomeOwnerOf(directory);
  if (!owner.ok) return failWith(owner.error);
  const file = join(directory, 'centre.json');
  const credential = readCredential(file);
  if (!credential.ok) return failWith(credential.error);
  const reason = 'it is not of a centre';
  if (credential.value.role !== 'centre')
    return failWith({ action: 'use the credential', object: file, reason });
  using store = new CentreStore(directory);
  const known = store.hosts();
  if (!known.ok) return failWith(known.error);
  const log = makeLog('human', process.env);
  const centre = new Centre({
    credential: credential.value,
    store,
    hosts: join(directory, 'release', 'hosts'),
    log: { info: (text) => log.info(text), warn: (text) => log.warn(text) },
  });
  await untilStopped((signal) => centre.run(signal));
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(serverDirectoryOption())
      .addHelpText(
        'after',
        examples(
          ['systemctl enable --now bulkhead-fleet-server', 'it runs from now on'],
          ['bulkhead fleet publish /var/lib/bulkhead-fleet-server/release', 'it brings this'],
        ),
      )
      .action(run(runCentre));
  },
};
