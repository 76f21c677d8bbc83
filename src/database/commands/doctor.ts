/** Reports database servers in `doctor`. Without a limit in the policy, no server is asked anything. */
import type { DoctorReport } from '../../cli/doctor-report.ts';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import type { Paths } from '../../host/paths.ts';
import { accountKindAt } from '../../policy/databases/postgresql-socket.ts';
import { databaseLimits } from '../core/database-limits.ts';
import { doctorText, type DoctorServer, type LimitNames } from '../core/doctor.ts';
import { accountOwners } from '../io/account-owners.ts';
import type { DatabaseConnection } from '../io/client/connect.ts';
import { kindOf } from '../io/kinds.ts';
import { connectForRoot } from '../io/open-server.ts';
import { seenBy } from '../io/peers/record.ts';
import { readServers } from '../io/record-file.ts';
import { databaseRemarks } from './remarks.ts';
import { serverSockets } from './servers.ts';

const label = 'Databases';

export async function databaseDoctor({
  paths,
  policy,
}: EntryPathContext): Promise<DoctorReport | undefined> {
  const named = policy?.databases?.servers.map(({ socket }) => socket) ?? [];
  const sockets = [...new Set([...named, ...serverSockets(paths)])];
  if (sockets.length === 0) {
    const remarks = policy === undefined ? [] : databaseRemarks(paths, policy);
    return remarks.length === 0 ? undefined : { label, text: 'no server found', remarks };
  }
  const limits: LimitNames = new Set(
    [...(policy === undefined ? [] : databaseLimits(policy).values())].flatMap(
      (each) => Object.keys(each) as (keyof typeof each)[],
    ),
  );
  const recorded = readServers(paths);
  if (!recorded.ok)
    return { label, text: `unknown: ${formatProblem(recorded.error)}`, remarks: [] };
  const enabled = new Set(
    recorded.value.filter(({ undoing }) => undoing === undefined).map(({ socket }) => socket),
  );
  const owners = policy === undefined ? undefined : accountOwners(paths, policy);
  const isTenantsAt = (socket: string) => (account: string) =>
    owners?.ownerOf(account, accountKindAt(socket)).tenant !== undefined;
  const servers = await Promise.all(
    sockets.map(async (socket): Promise<DoctorServer> => {
      const isEnabled = enabled.has(socket);
      if (limits.size === 0 || !isEnabled) return { socket, isEnabled };
      const asked = await ask(socket, isTenantsAt(socket), limits.has('cpu') ? paths : undefined);
      return asked.ok
        ? { socket, isEnabled, ...asked.value }
        : { socket, isEnabled, problem: formatProblem(asked.error) };
    }),
  );
  return { label, ...doctorText(servers, limits) };
}

type Answers = Omit<DoctorServer, 'socket' | 'isEnabled'>;

/** `seenIn`: the paths of the agent that sees tenants there, if one does. */
async function ask(
  socket: string,
  isTenants: (account: string) => boolean,
  seenIn: Paths | undefined,
): Promise<Result<Answers, Problem>> {
  const connection = await connectForRoot(socket, { user: 'root' });
  if (!connection.ok) return connection;
  try {
    return await answersOf(connection.value, isTenants, seenIn);
  } finally {
    connection.value.close();
  }
}

async function answersOf(
  connection: DatabaseConnection,
  isTenants: (account: string) => boolean,
  seenIn: Paths | undefined,
): Promise<Result<Answers, Problem>> {
  const kind = kindOf(connection);
  const server = await kind.open(connection);
  if (!server.ok) return server;
  const settings = await kind.settings(connection);
  if (!settings.ok) return settings;
  const accounts = await kind.accounts(connection, 'root');
  if (!accounts.ok) return accounts;
  const { version, missing, pid } = server.value.sight;
  return ok({
    version,
    ...(seenIn === undefined ? {} : { seenBy: seenBy(seenIn, pid) }),
    missing,
    ...settings.value,
    accounts: accounts.value.map((each) => ({ ...each, isTenants: isTenants(each.account) })),
  });
}
