/** `bulkhead fleet publish DIRECTORY`: the files of the hosts, for Ansible or a web server to hand out. */
import { count } from '../../../packages/base/list.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../cli/shared/output.ts';
import type { Envelope, ReleaseHead } from '../core/documents.ts';
import type { Release } from '../core/fleet-files.ts';
import { readRelease, readTrust } from '../io/directory/fleet-directory.ts';
import { publish as publishTo } from '../io/directory/publish.ts';
import { notWhole } from '../io/release/whole-release.ts';
import { verifyHead } from '../io/verify/verify-bundle.ts';
import { type DirectoryOptions, withFleetOptions } from './shared-options.ts';
import type { FleetPublishJson } from './json.ts';

function publish(to: string, { directory, json }: DirectoryOptions): ExitCode {
  const ready = readSigned(directory);
  if (!ready.ok) return failWith(ready.error);
  const { release, chain, head } = ready.value;
  const published = publishTo(to, release, chain);
  if (!published.ok) return failWith(published.error);
  const { fleet, generation, hosts } = head;
  const shown: FleetPublishJson = { fleet, generation, directory: to, hosts, ...published.value };
  if (json === true) printJson(shown);
  else print(textOf(shown));
  return exitCodes.done;
}

interface Signed {
  readonly release: Release;
  readonly head: ReleaseHead;
  readonly chain: readonly Envelope[];
}

/** Returns the release, if hosts will accept its signatures. */
function readSigned(directory: string): Result<Signed, Problem> {
  const trust = readTrust(directory);
  if (!trust.ok) return trust;
  const release = readRelease(directory);
  if (!release.ok) return release;
  const action = 'publish the fleet in';
  if (release.value === undefined)
    return failed({ action, object: directory, reason: 'no release was signed', hint: signFirst });
  const known = { fleet: trust.value.trust.fleet, newest: undefined, now: Date.now() };
  const head = verifyHead(release.value.head, trust.value.trust, known);
  if (head.ok) {
    const cause = notWhole(release.value, head.value);
    if (cause !== undefined) return failed({ action, object: directory, ...cause });
    return ok({ release: release.value, head: head.value, chain: trust.value.chain });
  }
  const { code, reason, hint = code === 'signatures' ? signFirst : undefined } = head.error;
  return failed({ action, object: directory, reason, ...(hint !== undefined && { hint }) });
}

const signFirst = 'run "bulkhead fleet sign"';

function textOf({ generation, directory, hosts, written, removed }: FleetPublishJson): string {
  const gone = removed === 0 ? '' : `, ${removed} of hosts that left removed`;
  return `generation ${generation} of ${count(hosts, 'host')} is in ${directory}: ${count(written, 'file')} written${gone}`;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the directory that hosts read from, over Ansible or HTTPS');
    withFleetOptions(command)
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet publish out', 'out/trust.json, and out/hosts/web-001.json and so on'],
          ['bulkhead fleet publish /srv/fleet -C ~/fleet', 'into the root of a web server'],
        ),
      )
      .action(run(publish));
  },
};
