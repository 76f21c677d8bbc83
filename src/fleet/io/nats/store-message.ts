/**
 * Publishes a message to a stream. The client's own part for streams would be a tenth of the memory of what only needs this.
 */
import { RequestError, type NatsConnection } from '@nats-io/transport-node';
import { requestMilliseconds } from './last-message.ts';

/** The answer of a stream. Source: JetStream's `io.nats.jetstream.api.v1.pub_ack_response`. */
interface Stored {
  readonly stream?: string;
  readonly error?: { readonly code?: number; readonly description?: string };
}

/**
 * Publishes, and waits until a server has stored it. Throws the client's errors, and why a stream refuses it. `timeout` is
 * in milliseconds.
 */
export async function storeMessage(
  connection: NatsConnection,
  subject: string,
  text: string,
  timeout = requestMilliseconds,
): Promise<void> {
  const answer = await connection.request(subject, text, { timeout }).catch((error: unknown) => {
    throw isNobody(error) ? new Error(nobodyStores, { cause: error }) : error;
  });
  const { stream = '', error } = answer.json<Stored>();
  if (error !== undefined) throw new Error(`it is refused: ${error.description ?? error.code}`);
  if (stream === '') throw new Error('no stream has stored it');
}

/** Servers of a cluster whose disk was full store nothing until they are restarted, and serve clients all the same. */
const nobodyStores =
  'none of the servers stores it: they are starting, or have no quorum, or their disk is or was full; ask "bulkhead fleet server check" at the centre';

const isNobody = (error: unknown): boolean =>
  error instanceof RequestError && error.isNoResponders();
