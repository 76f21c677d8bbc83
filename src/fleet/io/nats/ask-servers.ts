/** Asks each of a fleet's servers how it is, and all of them for the streams. */
import { jetstreamManager, type StreamInfo } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { failed, formatCause, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Credential } from '../../core/credential.ts';
import { clockProblem } from './server-clock.ts';
import type { StreamName } from '../../core/subjects.ts';
import { causeOfNats, connectOnce } from './connect.ts';
import { replicasOf, streamNames } from './streams.ts';

export interface AskedServer {
  readonly address: string;
  /** Undefined: it did not answer. */
  readonly version?: string;
  readonly problems: readonly string[];
}

const answerWithinMs = 10_000;

/** Asks each by itself, with the credential of the system account. */
export const askServers = (credential: Credential): Promise<readonly AskedServer[]> =>
  Promise.all(credential.servers.map((address) => askServer(credential, address)));

async function askServer(credential: Credential, address: string): Promise<AskedServer> {
  const connected = await connectOnce({ ...credential, servers: [address] });
  if (!connected.ok) return { address, problems: [formatCause(connected.error)] };
  const connection = connected.value;
  const version = connection.info?.version;
  try {
    const problems = await problemsOf(connection, credential.servers.length);
    return { address, ...(version !== undefined && { version }), problems };
  } catch (error) {
    return { address, problems: [formatCause(causeOfNats(error))] };
  } finally {
    await connection.close();
  }
}

interface Health {
  readonly server?: { readonly time?: string };
  readonly data?: { readonly status?: string; readonly error?: string };
}

interface JetStreamState {
  readonly data?: { readonly meta_cluster?: { readonly cluster_size?: number } };
}

/** A server can be left out of its cluster for good, and yet serve clients: it is restarted then. */
async function problemsOf(connection: NatsConnection, servers: number): Promise<string[]> {
  const id = connection.info?.server_id ?? '';
  const ask = async (what: string) =>
    await connection.request(`$SYS.REQ.SERVER.${id}.${what}`, '{}', { timeout: answerWithinMs });
  const problems: string[] = [];
  const { server, data: health } = (await ask('HEALTHZ')).json<Health>();
  const clock = clockProblem(server?.time, Date.now());
  if (clock !== undefined) problems.push(clock);
  if (health?.status !== 'ok')
    problems.push(`it is not healthy: ${health?.error ?? health?.status ?? 'no reason'}`);
  problems.push(...(await crowded(connection, id)));
  if (servers === 1) return problems;
  const { data: state } = (await ask('JSZ')).json<JetStreamState>();
  const size = state?.meta_cluster?.cluster_size;
  if (size !== servers)
    problems.push(
      `its cluster has ${size ?? 'an unknown number of'} of ${servers} servers; restart it if that stays`,
    );
  return problems;
}

interface Connections {
  readonly data?: {
    readonly connections?: readonly { readonly name_tag?: string }[];
  };
}

const connectionsPerPage = 1024;
/** Connections of one credential: a courier has one, and for a moment a second one. */
const connectionsExpected = 10;

/** Names the credentials that have many connections at once. */
async function crowded(connection: NatsConnection, id: string): Promise<readonly string[]> {
  const counts = new Map<string, number>();
  for (let offset = 0; ; offset += connectionsPerPage) {
    const page = JSON.stringify({ auth: true, limit: connectionsPerPage, offset });
    const answer = await connection.request(`$SYS.REQ.SERVER.${id}.CONNZ`, page, {
      timeout: answerWithinMs,
    });
    const { connections = [] } = answer.json<Connections>().data ?? {};
    for (const { name_tag: name = 'unknown' } of connections)
      counts.set(name, (counts.get(name) ?? 0) + 1);
    if (connections.length < connectionsPerPage) break;
  }
  return [...counts]
    .filter(([, count]) => count > connectionsExpected)
    .map(([name, count]) => `the credential of ${name} has ${count} connections`);
}

/** Returns what is wrong with the streams, with the credential of the centre. */
export async function askStreams(credential: Credential): Promise<Result<string[], Problem>> {
  const connected = await connectOnce(credential);
  if (!connected.ok) return connected;
  const replicas = replicasOf(credential.servers.length);
  try {
    const manager = await jetstreamManager(connected.value, { checkAPI: false });
    const found = new Map<string, StreamInfo>();
    for await (const stream of manager.streams.list()) found.set(stream.config.name, stream);
    return ok(streamNames.flatMap((name) => streamProblems(name, found.get(name), replicas)));
  } catch (error) {
    return failed({ action: 'list the streams', ...causeOfNats(error) });
  } finally {
    await connected.value.close();
  }
}

function streamProblems(
  name: StreamName,
  stream: StreamInfo | undefined,
  replicas: number,
): readonly string[] {
  if (stream === undefined) return [`the stream ${name} is missing`];
  const others = stream.cluster?.replicas ?? [];
  const current = others.filter((each) => each.current && each.offline !== true).length + 1;
  return current >= replicas ? [] : [`the stream ${name} has ${current} of ${replicas} copies`];
}
