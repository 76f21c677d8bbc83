/** The archive that a kernel unpacks as its first root: cpio in the "newc" format, initramfs docs. */
interface ArchiveFile {
  readonly path: string;
  /** undefined for a directory. */
  readonly data?: Uint8Array;
}

const directoryMode = 0o040755;
const fileMode = 0o100755;
const end = 'TRAILER!!!';

export function makeArchive(files: readonly ArchiveFile[]): Uint8Array {
  const parts = files.flatMap(({ path, data }, index) =>
    entry(path, data === undefined ? directoryMode : fileMode, data ?? new Uint8Array(), index + 1),
  );
  return new Uint8Array(Buffer.concat([...parts, ...entry(end, 0, new Uint8Array(), 0)]));
}

function entry(path: string, mode: number, data: Uint8Array, inode: number): Uint8Array[] {
  // inode, mode, uid, gid, links, time, size, device ×2, its own device ×2, length of name, checksum
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, path.length + 1, 0];
  const head = `070701${fields.map((each) => each.toString(16).padStart(8, '0')).join('')}${path}\0`;
  return [padded(Buffer.from(head, 'latin1')), padded(data)];
}

function padded(bytes: Uint8Array): Uint8Array {
  const gap = -bytes.length & 3;
  return gap === 0 ? bytes : new Uint8Array(Buffer.concat([bytes, new Uint8Array(gap)]));
}
