/**
 * Changes of a module that no build makes; each touches one rule of the loader.
 *
 * A change is a function of an open object file. A change of the raw file (header, appended signature) is a function of
 * its bytes and comes after all others.
 */
import { ObjectFile, setData, type EditableSection } from './object-file.ts';

export type Edit =
  | { readonly on: 'object'; readonly apply: (object: ObjectFile) => void }
  | { readonly on: 'file'; readonly apply: (bytes: Uint8Array) => Uint8Array };

const object = (apply: (object: ObjectFile) => void): Edit => ({ on: 'object', apply });
const file = (apply: (bytes: Uint8Array) => Uint8Array): Edit => ({ on: 'file', apply });

export function editBytes(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  let out: Uint8Array = bytes;
  const onObject = edits.filter((each) => each.on === 'object');
  if (onObject.length > 0) {
    const opened = new ObjectFile(bytes);
    for (const edit of onObject) edit.apply(opened);
    out = opened.bytes();
  }
  return edits.reduce((now, edit) => (edit.on === 'file' ? edit.apply(now) : now), out);
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const bytesOf = (value: string) => new Uint8Array(Buffer.from(value, 'latin1'));

function editModinfo(change: (entries: string[]) => string[]): Edit {
  return object((opened) => {
    const section = opened.section('.modinfo');
    const entries = text(section.data)
      .split('\0')
      .filter((each) => each !== '');
    setData(
      section,
      bytesOf(
        change(entries)
          .map((each) => `${each}\0`)
          .join(''),
      ),
    );
  });
}

const hasTag = (entry: string, tag: string) => entry.startsWith(`${tag}=`);

/** Replaces all entries of a tag by these values, in the place of the first one. */
export const setModinfoEntries = (tag: string, ...values: string[]): Edit =>
  editModinfo((entries) => {
    const at = entries.findIndex((each) => hasTag(each, tag));
    const rest = entries.filter((each) => !hasTag(each, tag));
    rest.splice(at < 0 ? rest.length : at, 0, ...values.map((value) => `${tag}=${value}`));
    return rest;
  });

/** Makes this the only value of a tag, after all others. */
export const modinfoLast = (tag: string, value: string): Edit =>
  editModinfo((entries) => [...entries.filter((each) => !hasTag(each, tag)), `${tag}=${value}`]);

/** Changes the first value of a tag. */
export const modinfoBy = (tag: string, change: (value: string) => string): Edit =>
  editModinfo((entries) =>
    entries.map((each) =>
      hasTag(each, tag) ? `${tag}=${change(each.slice(tag.length + 1))}` : each,
    ),
  );

const structNameAt = 24;
const structNameBytes = 56;

export const structName = (name: string): Edit =>
  object((opened) => {
    const { data } = opened.section('.gnu.linkonce.this_module');
    data.fill(0, structNameAt, structNameAt + structNameBytes);
    data.set(bytesOf(name), structNameAt);
  });

/** Sets both names, as a build would. */
export const setNames = (name: string): readonly Edit[] => [
  setModinfoEntries('name', name),
  structName(name),
];

/** Hides a section, so that neither the kernel nor a reader finds it; numbers of sections stay. */
export const hideSection = (name: string): Edit =>
  object((opened) => {
    const section = opened.section(name);
    section.name = `.hidden${name}`;
    section.flags = 0;
  });

export const section = (name: string, change: (section: EditableSection) => void): Edit =>
  object((opened) => change(opened.section(name)));

export const setSectionFlags = (name: string, flags: number): Edit =>
  section(name, (each) => void (each.flags = flags));

export const copySection = (name: string): Edit =>
  object((opened) => {
    const original = opened.section(name);
    opened.sections.push({ ...original, data: original.data.slice() });
  });

const plainSection = (name: string, flags: number, data: Uint8Array): EditableSection => ({
  name,
  type: 1,
  flags,
  link: 0,
  info: 0,
  align: 8,
  entryBytes: 0,
  data,
  size: data.length,
});

export const addSection = (name: string, flags: number, data: Uint8Array): Edit =>
  object((opened) => void opened.sections.push(plainSection(name, flags, data)));

const withoutContents = 8;

/** Adds memory that is zero and takes no bytes in the file. */
export const addZeros = (name: string, bytes: number): Edit =>
  object((opened) => {
    const section = plainSection(name, 3, new Uint8Array());
    opened.sections.push({ ...section, type: withoutContents, size: bytes });
  });

/** Marks a section as unused by its type. */
export const unused = (name: string): Edit => section(name, (each) => void (each.type = 0));

/** Adds a second section, whose type marks it as unused. */
export const unusedCopy = (name: string): Edit =>
  object((opened) => {
    const original = opened.section(name);
    opened.sections.push({ ...original, type: 0, data: original.data.slice() });
  });

/** Ends the section some bytes earlier; the bytes stay in the file after it. */
export const shortenSection = (name: string, bytes: number): Edit =>
  section(name, (each) => void (each.size -= bytes));

/** Adds per-CPU data that is not zero where a relocation will change it. */
export const dirtyPerCpu = (symbol: string): Edit =>
  object((opened) => {
    const index = opened.sections.push(
      plainSection('.data..percpu', 3, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)),
    );
    const like = opened.section('.rela.init.text');
    const relocations = { ...like, name: '.rela.data..percpu', info: index - 1 };
    opened.sections.push(relocations);
    const wanted = opened.symbols.indexOf(opened.symbol(symbol));
    opened.setRelocations(relocations, [{ offset: 0, type: 1, symbol: wanted, addend: 0 }]);
  });

const alloc = 2;
const versionBytes = 64;
const versionName = (data: Uint8Array, at: number) =>
  text(data.subarray(at + 8, at + versionBytes)).replace(/\0.*$/s, '');

/** Adds one to the CRC that the module wants of a symbol. */
export const wrongCrc = (symbol: string): Edit =>
  object((opened) => {
    const { data } = opened.section('__versions');
    for (let at = 0; at < data.length; at += versionBytes) {
      if (versionName(data, at) === symbol) data[at]! += 1;
    }
  });

export const withoutCrc = (symbol: string): Edit =>
  object((opened) => {
    const versions = opened.section('__versions');
    const kept: number[] = [];
    for (let at = 0; at < versions.data.length; at += versionBytes) {
      if (versionName(versions.data, at) === symbol) continue;
      kept.push(...versions.data.subarray(at, at + versionBytes));
    }
    setData(versions, Uint8Array.from(kept));
  });

/** Adds the versions in the extended form as well. `change` returns each CRC; undefined leaves a symbol out. */
export const extendVersions = (
  change: (symbol: string, crc: number) => number | undefined = (_, crc) => crc,
): Edit =>
  object((opened) => {
    const { data } = opened.section('__versions');
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const kept = Array.from({ length: data.length / versionBytes }, (_, index) => {
      const at = index * versionBytes;
      const name = versionName(data, at);
      return { name, crc: change(name, view.getUint32(at, true)) };
    }).flatMap(({ name, crc }) => (crc === undefined ? [] : [{ name, crc }]));
    const crcs = new Uint8Array(Uint32Array.from(kept, ({ crc }) => crc).buffer);
    const names = bytesOf(kept.map(({ name }) => `${name}\0`).join(''));
    opened.sections.push(
      plainSection('__version_ext_crcs', alloc, crcs),
      plainSection('__version_ext_names', alloc, names),
    );
  });

const renameVersion = (opened: ObjectFile, from: string, to: string) => {
  const { data } = opened.section('__versions');
  for (let at = 0; at < data.length; at += versionBytes) {
    if (versionName(data, at) !== from) continue;
    data.fill(0, at + 8, at + versionBytes);
    data.set(bytesOf(to), at + 8);
  }
};

/** Renames an import, and keeps the CRC of the old name. */
export const renameImport = (from: string, to: string): Edit =>
  object((opened) => {
    opened.symbol(from).name = to;
    renameVersion(opened, from, to);
  });

export const symbolSection = (name: string, index: number): Edit =>
  object((opened) => void (opened.symbol(name).section = index));

export const weaken = (name: string): Edit =>
  object((opened) => {
    const symbol = opened.symbol(name);
    symbol.info = (2 << 4) | (symbol.info & 15);
  });

export const swapSymbols = (first: string, second: string): Edit =>
  object((opened) => opened.swapSymbols(first, second));

/** Renames an export to a name of at most the same length: strings and symbols. */
export const renameExport = (from: string, to: string): Edit =>
  object((opened) => {
    for (const symbol of opened.symbols) {
      if (new RegExp(`^(__ksymtab_|__kstrtab_|__kstrtabns_|__crc_)?${from}$`).test(symbol.name))
        symbol.name = symbol.name.replace(from, to);
    }
    const strings = opened.section('__ksymtab_strings');
    const padded = `${to}\0`.padEnd(from.length + 1, '\0');
    strings.data = bytesOf(text(strings.data).replace(`${from}\0`, padded));
  });

/** Renames an export only in the string that the kernel reads; symbols keep the old name. */
export const renameExportString = (from: string, to: string): Edit =>
  object((opened) => {
    const strings = opened.section('__ksymtab_strings');
    const padded = `${to}\0`.padEnd(from.length + 1, '\0');
    strings.data = bytesOf(text(strings.data).replace(`${from}\0`, padded));
  });

/** Changes the relocations of a symbol. */
export const relocate = (
  sectionName: string,
  symbol: string,
  change: { readonly type?: number; readonly addend?: number; readonly offset?: number },
): Edit =>
  object((opened) => {
    const target = opened.section(sectionName);
    const wanted = opened.symbols.indexOf(opened.symbol(symbol));
    opened.setRelocations(
      target,
      opened
        .relocations(target)
        .map((each) => (each.symbol === wanted ? { ...each, ...change } : each)),
    );
  });

/** Writes a byte where the first relocation of a section will write. */
export const dirtyTarget = (relocations: string, target: string): Edit =>
  object((opened) => {
    const [first] = opened.relocations(opened.section(relocations));
    opened.section(target).data[first!.offset] = 1;
  });

const livepatchIndex = 0xff20;
const livepatchRelocations = 0x00100000;
const noRelocation = 0;

/** Reaches a symbol of the kernel past the export table, as a live patch may. */
export const viaLivepatch = (relocations: string, target: string, symbol: string): Edit =>
  object((opened) => {
    const source = opened.section(relocations);
    const index = opened.symbols.indexOf(opened.symbol(symbol));
    const all = opened.relocations(source);
    const moved = all.filter((each) => each.symbol === index);
    opened.symbols[index]!.name = `.klp.sym.vmlinux.${symbol},0`;
    opened.symbols[index]!.section = livepatchIndex;
    const kept = all.map((each) =>
      each.symbol === index ? { ...each, type: noRelocation, symbol: 0, addend: 0 } : each,
    );
    opened.setRelocations(source, kept);
    const added: EditableSection = {
      ...source,
      name: `.klp.rela.vmlinux.${target}`,
      flags: alloc | livepatchRelocations | 0x40,
      data: new Uint8Array(),
      size: 0,
    };
    opened.setRelocations(added, moved);
    opened.sections.push(added);
  });

/** Changes the bytes of a section in place. */
export const inSection = (name: string, change: (bytes: Uint8Array) => void): Edit =>
  file((bytes) => {
    const out = bytes.slice();
    const { data } = new ObjectFile(out).section(name);
    const at = Buffer.from(out).indexOf(data);
    change(out.subarray(at, at + data.length));
    return out;
  });

export const onHeader = (change: (header: DataView) => void): Edit =>
  file((bytes) => {
    const out = bytes.slice();
    change(new DataView(out.buffer));
    return out;
  });

export const truncated = (bytesLeft: number): Edit => file((bytes) => bytes.slice(0, bytesLeft));
export const flipped = (at: number): Edit =>
  file((bytes) => {
    const out = bytes.slice();
    out[at]! ^= 1;
    return out;
  });

const marker = bytesOf('~Module signature appended~\n');
const trailerBytes = 12;

/** Returns the bytes after the object file. */
function signatureOf(bytes: Uint8Array): Uint8Array {
  const end = bytes.length - marker.length;
  if (text(bytes.subarray(end)) !== text(marker)) throw new Error('The module is not signed');
  const length = new DataView(bytes.buffer, bytes.byteOffset + end - 4).getUint32(0);
  return bytes.slice(end - trailerBytes - length);
}

export const withoutSignature = (): Edit =>
  file((bytes) => bytes.slice(0, bytes.length - signatureOf(bytes).length));

export const append = (tail: Uint8Array): Edit =>
  file((bytes) => new Uint8Array(Buffer.concat([bytes, tail])));

interface Trailer {
  readonly algorithm?: number;
  readonly hash?: number;
  readonly type?: number;
  readonly signerLength?: number;
  readonly length?: number;
}

/** Returns a signature of these bytes, with a trailer that may lie. */
export function makeSignature(message: Uint8Array, trailer: Trailer = {}): Uint8Array {
  const head = new Uint8Array(trailerBytes);
  head[0] = trailer.algorithm ?? 0;
  head[1] = trailer.hash ?? 0;
  head[2] = trailer.type ?? 2;
  head[3] = trailer.signerLength ?? 0;
  new DataView(head.buffer).setUint32(8, trailer.length ?? message.length);
  return new Uint8Array(Buffer.concat([message, head, marker]));
}

/** Returns the PKCS#7 message of a signed module. */
function signatureMessage(bytes: Uint8Array): Uint8Array {
  const whole = signatureOf(bytes);
  return whole.slice(0, whole.length - marker.length - trailerBytes);
}

export const resign = (change: (message: Uint8Array) => Uint8Array, trailer: Trailer = {}): Edit =>
  file((bytes) => {
    const message = change(signatureMessage(bytes));
    const body = bytes.slice(0, bytes.length - signatureOf(bytes).length);
    return new Uint8Array(Buffer.concat([body, makeSignature(message, trailer)]));
  });
