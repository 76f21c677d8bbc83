/**
 * Publishes a message to a stream. The client's own part for streams would be a tenth of the memory of what only needs this.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import { requestMilliseconds } from './last-message.ts';

/** The answer of a stream. Source: JetStream's `io.nats.jetstream.api.v1.pub_ack_response`. */
interface Stored {
  readonly stream?: string;
  readonly error?: { readonly code?: number; readonly description?: string };
}

/** Publishes, and waits until a server has stored it. Throws the client's errors, and why a stream refuses it. */
export async function storeMessage(
  connection: NatsConnection,
  subject: string,
  text: string,
): Promise<void> {
  const answer = await connection.request(subject, text, { timeout: requestMilliseconds });
  const { stream = '', error } = answer.json<Stored>();
  if (error !== undefined) throw new Error(`it is refused: ${error.description ?? error.code}`);
  if (stream === '') throw new Error('no stream has stored it');
}
