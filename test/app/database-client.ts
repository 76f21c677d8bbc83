/** Runs a statement at a server, as the account of this process: SOCKET USER STATEMENT. Prints the rows as JSON. */
import { connectDatabase } from '../../src/database/io/client/connect.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import { patienceMilliseconds } from '../../testing/patience.ts';

const [socket = '', user = '', statement = ''] = process.argv.slice(2);
const limits = { replyMilliseconds: patienceMilliseconds };
const connection = await connectDatabase(socket, { user }, limits);
const rows = connection.ok ? await connection.value.query(statement) : connection;
if (connection.ok) connection.value.close();
if (!rows.ok) {
  process.stderr.write(`${formatProblem(rows.error)}\n`);
  process.exit(1);
}
process.stdout.write(JSON.stringify(rows.value.map((row) => [...row.values()])));
