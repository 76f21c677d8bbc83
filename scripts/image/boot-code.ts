/**
 * Puts GRUB for BIOS onto a disk with GPT, in an image that no device leads to. Layout: boot.S and diskboot.S of GRUB.
 *
 *     disk, bytes 0–439            boot.img: loads one sector, whose number is at byte 0x5c
 *     partition "BIOS boot"        core.img: its first sector loads the others, by a list at byte 0x1f4
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

const sectorBytes = 512;
/** The rest of the first sector belongs to the partition table. */
const bootCodeBytes = 440;
const coreSectorAt = 0x5c;
/** Two bytes of instructions; without them, GRUB starts from the first disk even if a BIOS names none. */
const driveCheckAt = 0x66;
const noOperations = 0x9090;
const listAt = sectorBytes - 12;
/** The segment that the second sector of core.img goes to. */
const secondSectorSegment = 0x820;

export interface Partition {
  /** Its first sector, and its length in sectors. */
  readonly start: number;
  readonly size: number;
}

/** Writes `boot.img` and `core.img` of a directory; `bios` is the partition for core.img. */
export function installBootCode(disk: string, directory: string, bios: Partition): void {
  const boot = readFileSync(`${directory}/boot.img`).subarray(0, bootCodeBytes);
  boot.writeBigUInt64LE(BigInt(bios.start), coreSectorAt);
  boot.writeUInt16LE(noOperations, driveCheckAt);
  const core = readFileSync(`${directory}/core.img`);
  const sectors = Math.ceil(core.length / sectorBytes);
  if (sectors > bios.size) throw new Error(`GRUB needs ${sectors} sectors, and has ${bios.size}`);
  core.writeBigUInt64LE(BigInt(bios.start + 1), listAt);
  core.writeUInt16LE(sectors - 1, listAt + 8);
  core.writeUInt16LE(secondSectorSegment, listAt + 10);
  const file = openSync(disk, 'r+');
  try {
    writeSync(file, boot, 0, boot.length, 0);
    writeSync(file, core, 0, core.length, bios.start * sectorBytes);
  } finally {
    closeSync(file);
  }
}
