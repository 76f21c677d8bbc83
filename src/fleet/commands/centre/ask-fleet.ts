/** The opening lines of commands that ask the hosts of a fleet themselves. */
import { randomBytes } from 'node:crypto';
import { Option, type Command } from 'commander';
import { count, listSome } from '../../../../packages/base/list.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { exitCodes, type ExitCode } from '../../../cli/shared/command.ts';
import { failWith } from '../../../cli/shared/output.ts';
import type { Answer } from '../../core/ask/answer.ts';
import { whyImpossible } from '../../core/ask/believable.ts';
import { notConnected, type Question } from '../../core/ask/question.ts';
import { untold } from '../../core/room.ts';
import { roomHostOf, type ToldHost } from '../../core/told/host-overview.ts';
import { withCentreOptions, type DirectoryOptions } from '../shared-options.ts';
import { namedHosts, withKnownHosts, type KnownHosts } from '../servers/known-hosts.ts';
import { hostsOption } from './hosts-option.ts';
import type { FleetAskedJson, FleetUnansweredJson } from './json.ts';

export interface AskOptions extends DirectoryOptions {
  readonly host: readonly string[];
  readonly credential: string;
}

/** Hosts of a busy fleet answer within a second. */
const answerMilliseconds = 15_000;

export const credentialOption = (): Option =>
  new Option('--credential <file>', 'the credential of the centre, for asking hosts').default(
    '/etc/bulkhead-fleet-server/centre.json',
  );

/** Adds the options of commands that ask hosts. */
export const withAskOptions = (command: Command): Command =>
  withCentreOptions(command).addOption(hostsOption()).addOption(credentialOption());

export interface Asked {
  readonly answers: readonly Answer[];
  /** The hosts without an answer, by their names: what they would say is not in any sum. */
  readonly unanswered: readonly FleetUnansweredJson[];
  readonly known: KnownHosts;
}

/** Asks hosts, all if none is named, and runs `action` with their answers; prints the reason if nobody can be asked. */
export async function withAnswers(
  { directory, credential: file }: Pick<AskOptions, 'directory' | 'credential'>,
  names: readonly string[],
  asked: Omit<Question, 'format' | 'nonce'>,
  action: (asked: Asked) => ExitCode,
): Promise<ExitCode> {
  // Only these commands need the client of NATS.
  const { connectOnce, readCredential } = await import('../../io/nats/connect.ts');
  const { askHosts } = await import('../../io/nats/ask-hosts.ts');
  // Before root becomes the owner of the directory: only root may read it.
  const credential = readCredential(file);
  if (!credential.ok)
    return failWith({
      ...credential.error,
      hint: 'hosts are asked over the servers of the fleet: "bulkhead fleet server init" begins one',
    });
  return await withKnownHosts(directory, async (known) => {
    const hosts = namedHosts(known.hosts, names);
    if (hosts === undefined) return exitCodes.failed;
    const connected = await connectOnce(credential.value);
    if (!connected.ok) return failWith(connected.error);
    const question = { format: 1, nonce: randomBytes(16).toString('hex'), ...asked } as const;
    const keys = hosts.flatMap(({ host }) => {
      const key = known.keys.get(host);
      return key === undefined ? [] : [{ host, key }];
    });
    const { fleet } = credential.value;
    const got = await askHosts(connected.value, fleet, keys, question, answerMilliseconds);
    await connected.value.close();
    const answers: Answer[] = [];
    const unanswered: FleetUnansweredJson[] = [];
    const byName = new Map(known.told.map((each) => [each.host, each]));
    for (const { host, answer } of got) {
      const told = byName.get(host);
      const why = answer.ok
        ? whyImpossible(answer.value, told?.status?.room)
        : whyUnanswered(answer.error.reason, told, known.now);
      if (why !== undefined) unanswered.push({ host, why });
      else if (answer.ok) answers.push(answer.value);
    }
    for (const { host } of hosts)
      if (!known.keys.has(host)) unanswered.push({ host, why: 'it never told anything' });
    unanswered.sort((one, other) => (one.host < other.host ? -1 : 1));
    if (answers.length === 0)
      return failWith({ action: 'ask the hosts', reason: unansweredText(unanswered) });
    return action({ answers, unanswered, known });
  });
}

/** A host that tells its status is connected: something between it and the centre is older than questions. */
function whyUnanswered(reason: string, told: ToldHost | undefined, now: number): string {
  const isTelling = told !== undefined && !untold.has(roomHostOf(told, now).state);
  return reason === notConnected && isTelling ? takesNoQuestions : reason;
}

const takesNoQuestions =
  'it tells its status and gets no questions: update Bulkhead on it and restart its courier; if all hosts are so, the servers were set up by an older version, and "bulkhead fleet server init" makes new ones';

/** Says in one line what is missing; empty if nothing is. */
export function missingText({
  unanswered,
  truncated,
}: Pick<FleetAskedJson, 'unanswered' | 'truncated'>): string {
  const cut = truncated.map(({ host, missing }) => `${missing} of ${host}`);
  return [
    ...(unanswered.length > 0 ? [unansweredText(unanswered)] : []),
    ...(cut.length > 0
      ? [`tenants for which an answer had no space, and which may belong here (${listSome(cut)})`]
      : []),
  ].join('; ');
}

/** Says in one line which hosts did not answer; empty if all did. */
export function unansweredText(unanswered: readonly FleetUnansweredJson[]): string {
  if (unanswered.length === 0) return '';
  const named = unanswered.map(({ host, why }) => `${host}: ${why}`);
  return printable(`${count(unanswered.length, 'host')} without an answer (${listSome(named)})`);
}
