/**
 * Builds the page of the console: `index.html`, scripts and a style sheet whose names have a hash of their content, each
 * compressed beforehand, and `manifest.json`, the list of what the front serves.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { build } from 'esbuild';
import { root } from './steps.ts';

const page = `${root}src/console/page`;

interface PageOptions {
  /** Whether all text is in the language that shows what is not translated, and what does not fit. */
  readonly isPseudo?: boolean;
}

interface PageFile {
  readonly name: string;
  readonly content: Uint8Array;
}

/** Builds the page in a directory, and returns the names of its npm packages. */
export async function buildConsole(
  directory: string,
  { isPseudo = false }: PageOptions = {},
): Promise<readonly string[]> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: { app: `${page}/main.tsx`, style: `${page}/style.css` },
    outdir: directory,
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2024',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    define: { BULKHEAD_PSEUDO: `${isPseudo}` },
    logLevel: 'warning',
    metafile: true,
    write: false,
  });
  const withoutSource = Object.entries(metafile.outputs)
    .filter(([, { inputs }]) => Object.values(inputs).every((each) => each.bytesInOutput === 0))
    .map(([path]) => basename(path));
  const files = withoutImportsOf(
    withoutSource,
    outputFiles.map(({ path, contents }) => ({ name: basename(path), content: contents })),
  );
  const index = { name: 'index.html', content: Buffer.from(indexFor(files)) };
  mkdirSync(directory, { recursive: true });
  for (const { name, content } of [index, ...files]) {
    writeFileSync(`${directory}/${name}`, content);
    writeFileSync(`${directory}/${name}.br`, compressed(content));
  }
  const listed = [
    { path: '/', file: index.name, br: true },
    ...files.map(({ name }) => ({ path: `/${name}`, file: name, immutable: true, br: true })),
  ];
  writeFileSync(`${directory}/manifest.json`, `${JSON.stringify({ files: listed })}\n`);
  return packagesOf(Object.keys(metafile.inputs));
}

/**
 * esbuild makes a chunk of modules that only import others, and one of its own functions, which do nothing until somebody
 * calls them. Neither has any source, and browsers would ask for both. Empty ones go.
 */
function withoutImportsOf(
  chunks: readonly string[],
  files: readonly PageFile[],
): readonly PageFile[] {
  const imports = chunks.map((name) => `import"./${name}";`);
  const others = files.filter(({ content }) => content.byteLength > 0);
  return others.map(({ name, content }) => {
    if (!name.endsWith('.js')) return { name, content };
    const text = Buffer.from(content).toString();
    const kept = imports.reduce((all, each) => all.replaceAll(each, ''), text);
    return { name, content: Buffer.from(kept) };
  });
}

/** Returns `index.html` with the names that the files have. */
function indexFor(files: readonly PageFile[]): string {
  const nameOf = (pattern: RegExp) => files.find(({ name }) => pattern.test(name))?.name ?? '';
  return readFileSync(`${page}/index.html`, 'utf8')
    .replace('app.js', nameOf(/^app-.*\.js$/))
    .replace('style.css', nameOf(/^style-.*\.css$/));
}

const compressed = (content: Uint8Array) =>
  brotliCompressSync(content, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.byteLength,
    },
  });

const packagePath = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//;

const packagesOf = (inputs: readonly string[]) => [
  ...new Set(inputs.flatMap((path) => packagePath.exec(path)?.[1] ?? [])),
];
