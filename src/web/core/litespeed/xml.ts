/**
 * Parses the XML of LiteSpeed Enterprise into what the plain form has: lists are not blocks of their own, and a block is
 * called by its element `name`.
 *
 *     <virtualHostList><virtualHost><name>shop</name>…     virtualHost shop { … }
 *
 * A document type declaration is refused, and so are its entities.
 */
import { SaxesParser } from 'saxes';
import { nestedMax, nodesMax, type LiteSpeedNode, type LiteSpeedRead } from './node.ts';

/** Elements that only group others. */
const isGroup = (name: string): boolean => name.endsWith('list') || name === 'security';

interface Building {
  readonly name: string;
  readonly line: number;
  text: string;
  readonly children: LiteSpeedNode[];
}

/** Thrown to leave the parser at the first error. */
class Stop extends Error {}

export function parseLiteSpeedXml(file: string, text: string): LiteSpeedRead {
  const parser = new SaxesParser();
  const top: Building = { name: '', line: 0, text: '', children: [] };
  const open = [top];
  let nodes = 0;
  const stop = (message: string): never => {
    throw new Stop(message);
  };
  parser.on('error', ({ message }) => stop(`it is not valid XML: ${message}`));
  parser.on('doctype', () => stop('it has a document type declaration'));
  parser.on('text', (more) => (lastOf(open).text += more));
  parser.on('cdata', (more) => (lastOf(open).text += more));
  parser.on('opentagstart', ({ name }) => {
    if (open.length > nestedMax) stop(`elements are nested deeper than ${nestedMax}`);
    if (++nodes > nodesMax) stop(`there are more than ${nodesMax} elements`);
    open.push({ name: name.toLowerCase(), line: parser.line, text: '', children: [] });
  });
  parser.on('closetag', () => {
    const built = open.pop() ?? top;
    if (isGroup(built.name)) lastOf(open).children.push(...built.children);
    else lastOf(open).children.push(nodeOf(built, file));
  });
  try {
    parser.write(text.replace(/^\uFEFF/, '')).close();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    const empty = { name: '', value: '', file, line: 0, children: [] };
    return { root: empty, problems: [{ message: error.message, file, line: parser.line }] };
  }
  return { root: top.children[0] ?? nodeOf(top, file), problems: [] };
}

const lastOf = (open: readonly Building[]): Building => open[open.length - 1] as Building;

function nodeOf({ name, line, text, children }: Building, file: string): LiteSpeedNode {
  const called = children.find((each) => each.name === 'name')?.value;
  return { name, value: called ?? text.trim(), file, line, children };
}
