/**
 * `bulkhead fleet server run`: the process of the centre. It uploads what people have published, collects what hosts tell,
 * and leads rollouts if people have listed its key. It runs without any rights, as `bulkhead-fleet-server.service`.
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
import { centreDirectoryOption, type DirectoryOptions } from '../shared-options.ts';

interface RunOptions extends DirectoryOptions {
  readonly release: string;
  readonly credential?: string;
}

/** The credential is root's. Systemd hands it to the service, which runs as another account. */
function credentialFile({ credential }: RunOptions): string {
  const handed = process.env['CREDENTIALS_DIRECTORY'];
  const directory = handed ?? '/etc/bulkhead-fleet-server';
  return credential ?? join(directory, 'centre.json');
}

async function runCentre(options: RunOptions): Promise<ExitCode> {
  const { directory, release } = options;
  // Only this command needs the client of NATS.
  const { becomeOwnerOf } = await import('../../io/server/as-owner.ts');
  const { readCredential } = await import('../../io/nats/connect.ts');
  const { Centre } = await import('../../io/server/centre.ts');
  const { CentreStore } = await import('../../io/server/centre-store.ts');
  const { makeLeader } = await import('../../io/server/make-leader.ts');
  const { SnapshotWriter } = await import('../../io/server/snapshot-writer.ts');
  const { makeLog } = await import('../../../agent/log.ts');
  const file = credentialFile(options);
  const credential = readCredential(file);
  if (!credential.ok) return failWith(credential.error);
  const reason = 'it is not of a centre';
  if (credential.value.role !== 'centre')
    return failWith({ action: 'use the credential', object: file, reason });
  const owner = becomeOwnerOf(directory);
  if (!owner.ok) return failWith(owner.error);
  using store = new CentreStore(directory);
  const known = store.hosts();
  if (!known.ok) return failWith(known.error);
  const agentLog = makeLog('human', process.env);
  const log = {
    info: (text: string) => agentLog.info(text),
    warn: (text: string) => agentLog.warn(text),
  };
  const leader = makeLeader({ release, directory, store, log });
  if (!leader.ok) return failWith(leader.error);
  const centre = new Centre({
    credential: credential.value,
    store,
    hosts: join(release, 'hosts'),
    leader: leader.value,
    log,
  });
  const { fleet } = credential.value;
  const snapshot = new SnapshotWriter({ directory, store, fleet, release, log });
  await untilStopped(async (signal) => {
    await Promise.all([centre.run(signal), snapshot.run(signal)]);
  });
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(centreDirectoryOption())
      .option('--release <directory>', 'what "bulkhead fleet publish" has written', '/srv/fleet')
      .option('--credential <file>', 'the credential of the centre')
      .addHelpText(
        'after',
        examples(
          ['systemctl enable --now bulkhead-fleet-server', 'it runs from now on'],
          ['bulkhead fleet publish /srv/fleet', 'it brings this to all hosts'],
        ),
      )
      .action(run(runCentre));
  },
};
