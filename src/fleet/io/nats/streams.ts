/** The streams of a fleet. They are made when the centre starts, and made again if they are gone. */
import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  jetstreamManager,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import {
  docHintSubject,
  docSubject,
  eventsBytesMax,
  eventsSubject,
  hostMessageBytesMax,
  markSubject,
  messageBytesMax,
  recordBytesMax,
  recordHintSubject,
  recordSubject,
  statusBytesMax,
  statusSubject,
  waitingEventsMax,
  type StreamName,
} from '../../core/subjects.ts';

type Config = Partial<StreamConfig> & Pick<StreamConfig, 'subjects'>;

/** One message for each subject: the newest one. */
const newest = {
  max_msgs_per_subject: 1,
  discard: DiscardPolicy.Old,
  allow_direct: true,
} as const;

const configs: Readonly<Record<StreamName, Config>> = {
  DOCS: {
    ...newest,
    subjects: [docSubject('*')],
    max_msg_size: messageBytesMax,
    republish: hint(docSubject('*'), docHintSubject('{{wildcard(1)}}')),
  },
  ROLLOUT: {
    ...newest,
    subjects: [recordSubject],
    max_msg_size: recordBytesMax,
    republish: hint(recordSubject, recordHintSubject),
  },
  MARKS: { ...newest, subjects: [markSubject('*')], max_msg_size: recordBytesMax },
  STATUS: {
    ...newest,
    subjects: [statusSubject('*')],
    max_bytes: statusBytesMax,
    max_msg_size: hostMessageBytesMax,
  },
  EVENTS: {
    subjects: [eventsSubject('*')],
    // What was collected goes, so that the cap counts what waits. A host that reaches it is told so, and sends later.
    retention: RetentionPolicy.Workqueue,
    max_msgs_per_subject: waitingEventsMax,
    max_bytes: eventsBytesMax,
    discard: DiscardPolicy.New,
    discard_new_per_subject: true,
    max_msg_size: hostMessageBytesMax,
  },
};

/** Tells of a new message without its contents. */
function hint(src: string, dest: string): NonNullable<StreamConfig['republish']> {
  return { src, dest, headers_only: true };
}

const common = {
  storage: StorageType.File,
  // Nothing in a fleet asks for it, and an id of another host's message would make it vanish.
  duplicate_window: 100_000_000,
  allow_rollup_hdrs: false,
  deny_delete: false,
  deny_purge: false,
} as const;

/** Returns the number of servers that each have a copy. */
export const replicasOf = (servers: number): number => (servers >= 3 ? 3 : 1);

export const streamNames: readonly StreamName[] = Object.keys(configs) as StreamName[];

/** Makes the streams that are missing, and gives those that are there their configuration. Throws the client's errors. */
export async function ensureStreams(connection: NatsConnection, replicas: number): Promise<void> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const there = await streamsOf(manager);
  for (const name of streamNames) {
    const config = { ...common, ...configs[name], num_replicas: replicas };
    if (there.has(name)) await manager.streams.update(name, config);
    else await manager.streams.add({ name, ...config });
  }
}

async function streamsOf(manager: JetStreamManager): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  for await (const name of manager.streams.names()) names.add(name);
  return names;
}

const collector = {
  durable_name: 'collector',
  ack_policy: AckPolicy.Explicit,
  deliver_policy: DeliverPolicy.All,
  max_ack_pending: 5_000,
} as const;
const consumerExists = 10_148;
const nanoseconds = 1_000_000;

/**
 * Makes the consumer of events, or gives the one that is there its configuration: another release of the centre may have
 * made it. Returns its name. Throws the client's errors.
 */
export async function ensureCollector(
  connection: NatsConnection,
  redeliverMilliseconds: number,
): Promise<string> {
  const { consumers } = await jetstreamManager(connection, { checkAPI: false });
  const { durable_name: name } = collector;
  const config = { ...collector, ack_wait: redeliverMilliseconds * nanoseconds };
  try {
    await consumers.add('EVENTS', config);
  } catch (error) {
    const isThere = error instanceof JetStreamApiError && error.code === consumerExists;
    if (!isThere) throw error;
    await consumers.update('EVENTS', name, config);
  }
  return name;
}
