/** `bulkhead fleet server check` */
import { X509Certificate } from 'node:crypto';
import { formatProblem } from '../../../../packages/base/problem.ts';
import { printable } from '../../../../packages/base/printable.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../../cli/shared/output.ts';
import { judgeVersion } from '../../core/advisories.ts';
import { askServers, askStreams, type AskedServer } from '../../io/nats/ask-servers.ts';
import { makeOwnCredential } from '../../io/server/make-credential.ts';
import { placeOf } from '../../io/server/server-files.ts';
import { readServerState, type ServerState } from '../../io/server/server-state.ts';
import type { FleetServerCheckJson, FleetServerJson } from '../json.ts';
import { type DirectoryOptions, withKeysOptions } from '../shared-options.ts';

async function check({ directory, json }: DirectoryOptions): Promise<ExitCode> {
  const state = readServerState(directory);
  if (!state.ok) return failWith(state.error);
  const shown = await checkServers(state.value);
  if (json === true) printJson(shown);
  else print(textOf(shown));
  return shown.ok ? exitCodes.done : exitCodes.found;
}

async function checkServers(state: ServerState): Promise<FleetServerCheckJson> {
  const credential = (role: 'system' | 'centre') =>
    makeOwnCredential(placeOf(state), state.keys, role);
  const servers = (await askServers(credential('system'))).map(judged);
  const streams = await askStreams(credential('centre'));
  const problems = [
    ...(streams.ok ? streams.value : [formatProblem(streams.error)]),
    ...certificateProblems(state.ca, Date.now()),
  ];
  const fine = problems.length === 0 && servers.every((each) => each.problems.length === 0);
  return { ok: fine, servers, problems };
}

function judged({ address, version: answered, problems }: AskedServer): FleetServerJson {
  const version = answered ?? null;
  const { concerned, unconcerned } = judgeVersion(version);
  return { address, version, problems: [...problems, ...concerned], advisories: unconcerned };
}

const dayMs = 86_400_000;
const renewDays = 90;

function certificateProblems(ca: string, now: number): readonly string[] {
  const days = Math.floor((new X509Certificate(ca).validToDate.getTime() - now) / dayMs);
  if (days > renewDays) return [];
  return [
    `the certificates expire in ${days} days: make new servers, and credentials of all hosts`,
  ];
}

const textOf = ({ servers, problems }: FleetServerCheckJson) =>
  [...servers.flatMap(serverLines), ...problems].map(printable).join('\n');

const serverLines = ({ address, version, problems, advisories }: FleetServerJson) => [
  `${address}  ${version === null ? 'no answer' : `nats-server ${version}`}  ${problems.length === 0 ? 'fine' : ''}`.trimEnd(),
  ...problems.map((each) => `  problem: ${each}`),
  ...advisories.map((each) => `  known, of no concern here: ${each}`),
];

export const command: CommandModule = {
  define(command, run) {
    withKeysOptions(command)
      .addHelpText(
        'after',
        examples(['bulkhead fleet server check', 'exit status 3: there is a problem']),
      )
      .action(run(check));
  },
};
