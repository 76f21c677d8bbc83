/** A small ELF file of given sections, for tests. */
export interface SectionText {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly address?: bigint;
  readonly flags?: number;
  readonly type?: number;
}

/** 64 bits, little endian; sections in the order given, behind the empty one. */
export function elfFile(sections: readonly SectionText[], type = 2, machine = 62): Uint8Array {
  const names = ['', ...sections.map((each) => each.name), '.shstrtab'];
  const strings = Buffer.from(`${names.join('\0')}\0`);
  const all = [...sections, { name: '.shstrtab', bytes: strings, type: 3 } as SectionText];
  let offset = 64;
  const placed = all.map((each) => {
    const at = offset;
    offset += Math.ceil(each.bytes.length / 8) * 8;
    return { ...each, at };
  });
  const file = Buffer.alloc(offset + 64 * (all.length + 1));
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(type, 16);
  file.writeUInt16LE(machine, 18);
  file.writeBigUInt64LE(BigInt(offset), 40);
  file.writeUInt16LE(64, 58);
  file.writeUInt16LE(all.length + 1, 60);
  file.writeUInt16LE(all.length, 62);
  for (const [index, each] of placed.entries()) {
    file.set(each.bytes, each.at);
    const header = offset + 64 * (index + 1);
    file.writeUInt32LE(strings.indexOf(`\0${each.name}\0`) + 1, header);
    file.writeUInt32LE(each.type ?? 1, header + 4);
    file.writeBigUInt64LE(BigInt(each.flags ?? 0), header + 8);
    file.writeBigUInt64LE(each.address ?? 0n, header + 16);
    file.writeBigUInt64LE(BigInt(each.at), header + 24);
    file.writeBigUInt64LE(BigInt(each.bytes.length), header + 32);
  }
  return file;
}

export interface ExportText {
  readonly name: string;
  readonly namespace?: string;
  readonly crc: number;
}

const stringsAddress = 0xffffffff82a00123n;

/** Returns `__ksymtab*`, `__kcrctab*` and their names, as a build for x86-64 lays them out. */
export function exportSections(
  plain: readonly ExportText[],
  gpl: readonly ExportText[],
  layout: 'relative' | 'addresses' = 'relative',
): readonly SectionText[] {
  const all = [...plain, ...gpl];
  const strings = Buffer.from(`\0${all.flatMap((e) => [e.name, e.namespace ?? '']).join('\0')}\0`);
  const at = (text: string) =>
    stringsAddress + BigInt(text === '' ? 0 : strings.indexOf(`\0${text}\0`) + 1);
  const table = (exports: readonly ExportText[], address: bigint) => {
    const bytes = Buffer.alloc(exports.length * (layout === 'relative' ? 12 : 24));
    for (const [index, each] of exports.entries()) {
      for (const [field, text] of [each.name, each.namespace ?? ''].entries()) {
        const place =
          layout === 'relative' ? index * 12 + 4 + field * 4 : index * 24 + 8 + field * 8;
        if (layout === 'addresses') bytes.writeBigUInt64LE(at(text), place);
        else bytes.writeInt32LE(Number(at(text) - (address + BigInt(place))), place);
      }
    }
    return bytes;
  };
  const crcs = (exports: readonly ExportText[]) =>
    Buffer.from(Uint32Array.from(exports, (each) => each.crc).buffer);
  const [first, second] = [0xffffffff82900004n, 0xffffffff82910008n];
  return [
    { name: '.data..percpu', bytes: Buffer.alloc(16), address: 0n, flags: 2 },
    { name: '__ksymtab', bytes: table(plain, first), address: first, flags: 2 },
    { name: '__ksymtab_gpl', bytes: table(gpl, second), address: second, flags: 2 },
    { name: '__kcrctab', bytes: crcs(plain), flags: 2 },
    { name: '__kcrctab_gpl', bytes: crcs(gpl), flags: 2 },
    { name: '__ksymtab_strings', bytes: strings, address: stringsAddress, flags: 2 },
  ];
}

/** Returns a bzImage around `payload`, with the size that the build appends. */
export function bzImage(payload: Uint8Array, release: string): Uint8Array {
  const [setupBytes, payloadAt] = [1024, 0x40];
  const file = Buffer.alloc(setupBytes + payloadAt + payload.length + 4);
  file[0x1f1] = 1;
  file.write('HdrS', 0x202, 'latin1');
  file.writeUInt16LE(0x20f, 0x206);
  file.writeUInt16LE(0x100, 0x20e);
  file.writeUInt32LE(payloadAt, 0x248);
  file.writeUInt32LE(payload.length + 4, 0x24c);
  file.write(`${release} (someone@somewhere) #1 SMP\0`, 0x300, 'latin1');
  file.set(payload, setupBytes + payloadAt);
  return file;
}
