/**
 * The files that both formats have. Everything that Bulkhead needs is in one directory, with its own Node.js; the rest
 * is where the distribution looks for it: the command, units, manual pages, completion and documentation.
 *
 *     /usr/bin/bulkhead                   a link to
 *     /usr/libexec/bulkhead/bulkhead      the program's entry
 *     /usr/libexec/bulkhead/dist/         bundles, BPF objects, launchers, the PAM module
 *     /usr/libexec/bulkhead/node_modules/ Node.js, koffi, and what draws charts as PNG
 *     /usr/lib/systemd/system/            units, all of them disabled
 *     /usr/lib/sysusers.d/                the accounts of units without rights
 *
 * No directory is needed before there is a policy, and logs go to the journal. So nothing is there for tmpfiles and
 * logrotate. `bulkhead pam enable` writes the profiles for pam-auth-update: shipped ones would
 * be enabled by the next package that runs it.
 */
import { globSync, readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { capabilities } from '../../src/capabilities.ts';
import { completionScript, type Shell } from '../../src/cli/commands/completion.ts';
import { makeWholeProgram } from '../../src/cli/program.ts';
import { unitFor } from '../../src/host/systemd/own-units.ts';
import { compileBpf } from '../bpf.ts';
import { buildConsole } from '../console.ts';
import { bundleWhole, modulesEntries } from '../bundle.ts';
import { compileEntry } from '../entry.ts';
import { commandPages } from '../generated/manual.ts';
import { programEntries } from '../programs.ts';
import { root } from '../steps.ts';
import { componentsOf, noticesOf, type Component } from './licenses.ts';
import {
  fontPackage,
  koffiPackage,
  nodePackage,
  packageDirectory,
  resvgPackage,
  stripped,
} from './runtime.ts';
import { sbomOf } from './sbom.ts';
import { progress, type Build, type Processor } from './tools.ts';
import { Tree } from './tree.ts';

export const home = '/usr/libexec/bulkhead';
export const documentation = '/usr/share/doc/bulkhead';
export const unitDirectory = '/usr/lib/systemd/system';

export interface Stage {
  readonly tree: Tree;
  readonly components: readonly Component[];
  readonly version: string;
}

/** Builds the program for a processor, and returns all files of its packages that do not depend on the format. */
export async function makeStage(build: Build, processor: Processor): Promise<Stage> {
  progress(`Building for ${processor}`);
  const tree = new Tree();
  const { version } = build;
  const bundled = await addProgram(build, processor, tree, version);
  await addRuntime(build, processor, tree);
  addUnits(tree);
  await addManual(tree);
  addDocumentation(tree);
  const components = await componentsOf(build, processor, bundled);
  tree.writeGzip(`${documentation}/third-party.txt`, noticesOf(components));
  tree.write(`${documentation}/bulkhead.cdx.json`, sbomOf(components, version, build.epoch));
  return { tree, components, version };
}

const text = (path: string) => readFileSync(`${root}${path}`, 'utf8');

/** Adds what is compiled and bundled, and returns the names of the packages in the bundles. */
async function addProgram(
  build: Build,
  processor: Processor,
  tree: Tree,
  version: string,
): Promise<readonly string[]> {
  const dist = `${build.work}/dist-${processor}`;
  // Nothing in the package imports the library itself.
  const { 'modules/library': _, ...readers } = modulesEntries;
  const outside = ['koffi', resvgPackage];
  const bundled = await bundleWhole({ ...programEntries, ...readers }, dist, outside, version);
  build.signal.throwIfAborted();
  const inPage = await buildConsole(`${dist}/console`);
  build.signal.throwIfAborted();
  compileBpf(`${dist}/bpf`);
  compileEntry(`${dist}/entry`, processor);
  for (const path of filesBelow(dist))
    tree.copy(`${home}/dist/${path}`, `${dist}/${path}`, modeOf(path));
  tree.copy(`${home}/bulkhead`, `${root}bulkhead`, 0o755);
  tree.link('/usr/bin/bulkhead', '../libexec/bulkhead/bulkhead');
  const description = { name: 'bulkhead', version, type: 'module', license: 'Apache-2.0' };
  tree.write(`${home}/package.json`, `${JSON.stringify(description, undefined, 2)}\n`);
  for (const path of globSync('libexec/*', { cwd: root }))
    tree.copy(`${home}/${path}`, `${root}${path}`, 0o755);
  const packaging = globSync('packaging/*.{service,socket,timer,conf}', { cwd: root });
  for (const path of ['web/508.html', ...packaging]) tree.copy(`${home}/${path}`, `${root}${path}`);
  return [...new Set([...bundled, ...inPage])].sort();
}

const filesBelow = (directory: string): readonly string[] =>
  globSync('**/*', { cwd: directory })
    .filter((path) => statSync(`${directory}/${path}`).isFile())
    .sort();

const modeOf = (path: string) =>
  /\/bulkhead-(?:exec|fpm|suexec|thaw)$/.test(path) ? 0o755 : 0o644;

/** Adds Node.js, and of koffi what loads its native part. */
async function addRuntime(build: Build, processor: Processor, tree: Tree): Promise<void> {
  const node = nodePackage(processor);
  const program = `${await packageDirectory(build, node)}/bin/node`;
  const at = `${home}/node_modules`;
  tree.copy(`${at}/${node}/bin/node`, await stripped(build, processor, program), 0o755);
  const koffi = await packageDirectory(build, 'koffi');
  const own = globSync('{package.json,index.{js,cjs},src/**/*.{js,cjs}}', {
    cwd: koffi,
    // It makes a part of koffi's own source.
    exclude: ['**/trampolines.cjs'],
  });
  for (const path of own) tree.copy(`${at}/koffi/${path}`, `${koffi}/${path}`);
  const native = koffiPackage(processor);
  const directory = await packageDirectory(build, native);
  for (const path of ['package.json', 'index.js'])
    tree.copy(`${at}/${native}/${path}`, `${directory}/${path}`);
  const part = `linux_${processor}/koffi.node`;
  tree.copy(`${at}/${native}/${part}`, await stripped(build, processor, `${directory}/${part}`));
  await addPackageFiles(build, tree, resvgPackage, '{package.json,index.{js,mjs},index_bg.wasm}');
  await addPackageFiles(
    build,
    tree,
    fontPackage,
    '{package.json,files/*-latin-[47]00-normal.woff2}',
  );
}

async function addPackageFiles(
  build: Build,
  tree: Tree,
  name: string,
  pattern: string,
): Promise<void> {
  const directory = await packageDirectory(build, name);
  for (const path of globSync(pattern, { cwd: directory }))
    tree.copy(`${home}/node_modules/${name}/${path}`, `${directory}/${path}`);
}

/** The unit that only `modules gate enable` installs, since it starts before anything else. */
const gateUnit = 'bulkhead-modules-gate.service';

const sysusers = ['bulkhead-console.conf', 'bulkhead-fleet.conf', 'bulkhead-history.conf'];

/** Adds the units, their accounts, and the preset by which image builders leave them disabled. */
function addUnits(tree: Tree): void {
  for (const path of globSync('packaging/*.{service,socket,timer}', { cwd: root }).sort()) {
    if (basename(path) === gateUnit) continue;
    const unit = unitFor(text(path), '/usr/bin/bulkhead', home);
    tree.write(`${unitDirectory}/${basename(path)}`, unit);
  }
  tree.write('/usr/lib/systemd/system-preset/50-bulkhead.preset', 'disable bulkhead*\n');
  for (const each of sysusers) tree.copy(`/usr/lib/sysusers.d/${each}`, `${root}packaging/${each}`);
}

/** Adds a manual page for each command, and completion for bash and fish; zsh has other places in each format. */
async function addManual(tree: Tree): Promise<void> {
  const program = await makeWholeProgram(capabilities);
  const pages = [['bulkhead.8', text('man/bulkhead.8')] as const, ...commandPages(program)];
  for (const [name, page] of pages) tree.writeGzip(`/usr/share/man/man8/${name}`, page);
  const add = (path: string, shell: Shell) =>
    tree.write(path, `${completionScript(program, shell)}\n`);
  add('/usr/share/bash-completion/completions/bulkhead', 'bash');
  add('/usr/share/fish/vendor_completions.d/bulkhead.fish', 'fish');
}

export async function zshCompletion(): Promise<string> {
  return `${completionScript(await makeWholeProgram(capabilities), 'zsh')}\n`;
}

/** Adds pages, examples and schemas, and the sources of the BPF objects, which their license asks for. */
function addDocumentation(tree: Tree): void {
  const patterns = ['examples/**/*.*', 'schema/**/*.*', 'bpf/*'];
  for (const path of globSync(patterns, { cwd: root }))
    tree.copy(`${documentation}/${path}`, `${root}${path}`);
  for (const path of globSync('docs/*.{md,svg}', { cwd: root }))
    tree.copy(`${documentation}/${basename(path)}`, `${root}${path}`);
}
