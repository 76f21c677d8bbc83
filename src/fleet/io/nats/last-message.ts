/** The last message of a subject, from the server that is asked: no other one has to answer. */
import type { NatsConnection } from '@nats-io/transport-node';

export const requestMilliseconds = 10_000;
const notFound = 404;

/** Returns the text; undefined if there is no message. Throws the client's errors. `timeout` is in milliseconds. */
export async function lastMessage(
  connection: NatsConnection,
  request: string,
  timeout = requestMilliseconds,
): Promise<string | undefined> {
  const answer = await connection.request(request, '', { timeout });
  const { code = 0, description = '' } = answer.headers ?? {};
  if (code === notFound) return undefined;
  if (code >= 400) throw new Error(`the server answered with ${code} ${description}`);
  return answer.string();
}
