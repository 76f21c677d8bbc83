/** An apply that waited for another one applies the policy as it is then, not as it was before. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { pathsOf } from '../../src/host/paths.ts';
import { treeElement } from '../../testing/tree-host.ts';
import { untilItTries } from '../../testing/lock-tries.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { mainFile } from '../../testing/program.ts';
import { hostHere } from '../conformance/host-here.ts';

const instance = 'bulkhead-apply-race';
const here = hostHere(instance);
const skip = 'skip' in here ? here.skip : false;
const root = suiteDirectory('apply-race');
const policy = (limit: number) =>
  `<bulkhead version="1">${treeElement(pathsOf(instance))}<tenant uid="64425"><processes limit="${limit}"/></tenant></bulkhead>`;

/** Begins a command while another process has the lock, and ends after the policy was edited and the command is done. */
const begin = `set -e
bulkhead() { ./bulkhead --instance ${instance} "$@"; }
lock=/run/${instance}/policy.lock
trap 'bulkhead release > /dev/null' EXIT
echo '${policy(30)}' > ${root}/before.xml; echo '${policy(40)}' > ${root}/now.xml
edited_meanwhile() {
  cp ${root}/before.xml ${root}/policy.xml
  mkdir -p /run/${instance}; install -m 600 /dev/null $lock; exec 99<>$lock; flock 99
  ( exec 99>&-; exec scripts/with-node ${mainFile} --instance ${instance} $1 ${root}/policy.xml ) & pid=$!
  perl -e '${untilItTries}' /proc/$pid $lock
  cp ${root}/now.xml ${root}/policy.xml
  rm $lock; exec 99>&-; wait $pid
}
`;

const run = (script: string) => spawnSync('bash', ['-c', begin + script], { encoding: 'utf8' });

after(() => {
  for (const each of [`/run/${instance}`, `/var/lib/${instance}`])
    rmSync(each, { recursive: true, force: true });
});

test('apply reads the policy again when it has waited for another apply', { skip }, () => {
  const { status, stdout, stderr } = run(`edited_meanwhile apply
bulkhead verify ${root}/now.xml && ! bulkhead verify ${root}/before.xml`);
  assert.equal(status, 0, stdout + stderr);
});

test('verify waits for an apply, and compares with the policy of then', { skip }, () => {
  const { status, stdout, stderr } = run(`bulkhead apply ${root}/now.xml
edited_meanwhile verify`);
  assert.equal(status, 0, stdout + stderr);
});
