/** Sets the kernel's list (`set TEXT`) and reserves ports (`reserve TEXT`); prints the list after each step. */
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { formatProblem } from '../../packages/base/problem.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { formatPorts, parsePorts } from '../../src/network/core/reserved-ports.ts';
import { reservePorts } from '../../src/network/io/reserved-ports.ts';

const kernelFile = '/proc/sys/net/ipv4/ip_local_reserved_ports';
const [state = '', ...steps] = process.argv.slice(2);
const paths = { ...pathsOf('bulkhead-test'), state };

for (const step of steps) {
  const [action, text = ''] = step.split(' ');
  if (action === 'set') writeFileSync(kernelFile, text);
  else
    for (const problem of reservePorts(paths, rangesOf(text)))
      throw new Error(formatProblem(problem));
  process.stdout.write(`${list()}\n`);
}

/** The kernel gives its list to one call only. */
function list(): string {
  const fd = openSync(kernelFile, 'r');
  const buffer = Buffer.alloc(2 ** 19);
  const length = readSync(fd, buffer);
  closeSync(fd);
  return buffer.toString('latin1', 0, length).trim();
}

function rangesOf(text: string) {
  return formatPorts(parsePorts(text) ?? new Set()).map((each) => {
    const [first = 0, last = first] = each.split('-').map(Number);
    return { first, last };
  });
}
