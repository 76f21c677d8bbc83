/** Servers as a centre: the stream keeps one record, and takes another one only from whoever has seen the last one. */
import { jetstream, jetstreamManager, JetStreamApiError } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Centre, Put, StoredRecord } from '../../core/rollout/centre.ts';
import { recordSubject } from '../../core/subjects.ts';
import { causeOfNats } from './connect.ts';

const stream = 'ROLLOUT';
const answerWithinMs = 10_000;
/** Source: the error codes of nats-server, `server/errors.json`. */
const wrongLastSequence: ReadonlySet<number> = new Set([10_071, 10_164]);
const streamNotFound = 10_059;

/** Whether servers have lost the stream itself. */
export const isStreamGone = ({ object, errno }: Problem): boolean =>
  object === stream && errno === 'ENOENT';

/** Each request ends within the time, also on a connection that has ended. */
export const natsCentre = (connection: NatsConnection, timeout = answerWithinMs): Centre => ({
  record: () => record(connection, timeout),
  put: (text, expected) => put(connection, timeout, text, expected),
});

async function record(
  connection: NatsConnection,
  timeout: number,
): Promise<Result<StoredRecord | undefined, Problem>> {
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false, timeout });
    // From the leader of the stream: other servers may be behind.
    const found = await manager.streams.getMessage(stream, { last_by_subj: recordSubject });
    return ok(found === null ? undefined : { text: found.string(), sequence: found.seq });
  } catch (error) {
    const isGone = error instanceof JetStreamApiError && error.code === streamNotFound;
    return failed({
      action: 'read the record of',
      object: stream,
      ...causeOfNats(error),
      ...(isGone && { errno: 'ENOENT' }),
    });
  }
}

async function put(
  connection: NatsConnection,
  timeout: number,
  text: string,
  expected: number,
): Promise<Result<Put, Problem>> {
  try {
    const { seq } = await jetstream(connection, { timeout }).publish(recordSubject, text, {
      expect: { lastSubjectSequence: expected },
      retries: 0,
    });
    return ok({ kind: 'stored', sequence: seq });
  } catch (error) {
    if (error instanceof JetStreamApiError && wrongLastSequence.has(error.code))
      return ok({ kind: 'conflict' });
    return failed({ action: 'put the record into', object: stream, ...causeOfNats(error) });
  }
}
