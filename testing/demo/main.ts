/** `npm run demo`: shows on this host's own kernel that tenants' limits are enforced. */
import { parseArgs } from 'node:util';
import { demonstrateHere } from './host-demo.ts';

const help = `npm run demo [-- OPTION...]

Shows on this host's own kernel that tenants' limits are enforced. It makes tenants that
need no accounts, lets each go against one limit of examples/demo.xml, and removes them again.
It takes about 15 seconds and needs root.

  --vm      do it in a virtual machine instead, with a kernel of its own
  --json    print the verdicts as JSON
  --help    show this

Exit status: 0 every limit that this kernel has was enforced; 1 one was not, or the demo cannot run
here; 2 usage; 128 + the number of the signal that ended it.
`;

const options = {
  vm: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  /** Size of the terminal at the other end, as in 80x24; only the demo itself passes it. */
  live: { type: 'string' },
} as const;

const printError = (text: string) => void process.stderr.write(`${text}\n`);

async function main(args: readonly string[]): Promise<number> {
  let values;
  try {
    ({ values } = parseArgs({ args: [...args], options }));
  } catch (error) {
    printError(`${(error as Error).message}\n\n${help}`);
    return 2;
  }
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (values.vm) {
    const { demonstrateInGuest } = await import('./guest-demo.ts');
    return demonstrateInGuest(values.json);
  }
  return demonstrateHere(values.json, values.live);
}

/** Reports the cause of a crash, when everything that was made has been removed. */
function crash(error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  printError(`This is a defect of the demo: ${text}`);
  process.exitCode = 1;
}

await main(process.argv.slice(2)).then((status) => (process.exitCode = status), crash);
