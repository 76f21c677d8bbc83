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
import { hostHere } from '../conformance/host-here.ts';

const instance = 'bulkhead-apply-race';
const here = hostHere(instance);
const skip = 'skip' in here ? here.skip : false;
const root = suiteDirectory('apply-race');
const policy = (limit: number) =>
  `<bulkhead version="1">${treeElement(pathsOf(instance))}<tenant uid="64425"><processes limit="${limit}"/></tenant></bulkhead>`;

const script = `set -e
bulkhead() { ./bulkhead --instance ${instance} "$@"; }
lock=/run/${instance}/policy.lock
trap 'bulkhead release > /dev/null' EXIT
echo '${policy(30)}' > ${root}/before.xml; echo '${policy(40)}' > ${root}/now.xml
cp ${root}/before.xml ${root}/policy.xml
mkdir -p /run/${instance}; install -m 600 /dev/null $lock; exec 99<>$lock; flock 99
( exec 99>&-; exec scripts/with-node src/main.ts --instance ${instance} apply ${root}/policy.xml ) & pid=$!
perl -e '${untilItTries}' /proc/$pid $lock
cp ${root}/now.xml ${root}/policy.xml
rm $lock; exec 99>&-; wait $pid
bulkhead verify ${root}/now.xml && ! bulkhead verify ${root}/before.xml`;

after(() => {
  for (const each of [`/run/${instance}`, `/var/lib/${instance}`])
    rmSync(each, { recursive: true, force: true });
});

test('apply reads the policy again when it has waited for another apply', { skip }, () => {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
});
