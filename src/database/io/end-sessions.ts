/**
 * Ends statements and connections of a server by the connection's id. The server is asked again right before: what took
 * too long may be over, and the connection may do something else by now.
 */
import type { Problem } from '../../../packages/base/problem.ts';
import type { Ending } from '../core/backstops.ts';
import type { DatabaseConnection } from './client/connect.ts';
import { kindOf } from './kinds.ts';

export interface Ended {
  /** Sessions whose end the server has accepted. */
  readonly ended: readonly Ending[];
  /** Sessions that were over, or gone, before they were ended. */
  readonly over: readonly Ending[];
  readonly problems: readonly Problem[];
}

export async function endSessions(
  connection: DatabaseConnection,
  endings: readonly Ending[],
): Promise<Ended> {
  const { endSession } = kindOf(connection);
  const ended: Ending[] = [];
  const over: Ending[] = [];
  const problems: Problem[] = [];
  for (const each of endings) {
    const done = await endSession(connection, each);
    if (!done.ok) problems.push(done.error);
    else (done.value ? ended : over).push(each);
    if (!connection.isOpen) break;
  }
  return { ended, over, problems };
}
