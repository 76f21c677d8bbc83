/** The pages of the documentation, and their code blocks. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const pages = globSync('{*,docs/*}.md', { cwd: root }).sort();
export const textOf = (page: string) => readFileSync(join(root, page), 'utf8');

/** The code blocks of a language; those in lists lose their indentation. */
export const blocks = (text: string, language: string): readonly string[] =>
  [...text.matchAll(new RegExp('^( *)```' + language + '\\n([\\s\\S]*?)^ *```', 'gm'))].map(
    ([, indent = '', block = '']) => block.replaceAll(new RegExp('^' + indent, 'gm'), ''),
  );
