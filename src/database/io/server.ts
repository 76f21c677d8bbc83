/** A database server as the capability uses it. Each kind is one file. */
import type { Result } from '../../../packages/base/result.ts';
import type { Look } from '../core/look.ts';
import type { DatabaseConnection, DatabaseProblem } from './client/connect.ts';

/** How much a server shows. Each entry of `missing` says what is not seen, and what to do. */
export interface Sight {
  readonly version: string;
  readonly pid: number | undefined;
  readonly missing: readonly string[];
}

export interface DatabaseServer {
  readonly sight: Sight;
  /** The connection for statements that change something: kill, cap. */
  readonly connection: DatabaseConnection;
  /** `only`: the accounts whose counters are needed; a kind of server may ignore it. */
  readonly look: (only?: readonly string[]) => Promise<Result<Look, DatabaseProblem>>;
}
