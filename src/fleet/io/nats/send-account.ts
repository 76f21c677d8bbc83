/** Gives running servers newer claims about accounts. Connections of others go on, which a reload would end. */
import type { NatsConnection } from '@nats-io/transport-node';
import { isObject } from '../../../../packages/base/json.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Credential } from '../../core/credential.ts';
import { causeOfNats, connectOnce } from './connect.ts';

const answersWithinMs = 5000;

/** Returns the number of servers that have taken the claims. */
export async function sendAccount(
  credential: Credential,
  jwt: string,
): Promise<Result<number, Problem>> {
  const connected = await connectOnce(credential);
  if (!connected.ok) return connected;
  try {
    return ok(await takenBy(connected.value, jwt, credential.servers.length));
  } catch (error) {
    return failed({ action: 'tell the servers', ...causeOfNats(error) });
  } finally {
    await connected.value.close();
  }
}

async function takenBy(connection: NatsConnection, jwt: string, servers: number): Promise<number> {
  const answers = await connection.requestMany('$SYS.REQ.CLAIMS.UPDATE', jwt, {
    strategy: 'count',
    maxMessages: servers,
    maxWait: answersWithinMs,
  });
  let taken = 0;
  for await (const answer of answers) {
    const { error, data } = answer.json<{ readonly error?: unknown; readonly data?: unknown }>();
    if (isObject(error)) throw new Error(String(error['description']));
    if (isObject(data)) taken += 1;
  }
  return taken;
}
