/** Only what talks to a fleet's servers loads the client of NATS: no other command, and not the agent. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { build } from 'esbuild';
import { programEntries } from '../../scripts/programs.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('no program loads the client of NATS when it starts', async () => {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { ...programEntries },
    outdir: root,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    metafile: true,
    write: false,
  });
  const needed = new Map(
    Object.entries(metafile.inputs).map(([file, { imports }]) => [
      file,
      imports.filter(({ kind }) => kind !== 'dynamic-import').map(({ path }) => path),
    ]),
  );
  const loading = new Set<string>();
  for (let before = -1; before < loading.size;) {
    before = loading.size;
    for (const [file, paths] of needed)
      if (paths.some((path) => path.startsWith('@nats-io/') || loading.has(path)))
        loading.add(file);
  }
  assert.ok(loading.has('src/fleet/io/nats/connect.ts'));
  const elsewhere = [...loading].filter(
    (file) =>
      !/^src\/fleet\/(?:io\/(?:nats|server|courier|rollout)|commands\/(?:servers|rollout))\//.test(
        file,
      ),
  );
  assert.deepEqual(elsewhere, []);
});
