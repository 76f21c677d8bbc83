/** The last changes to the disk, beyond the partitions of mkosi: the type of the ESP, GRUB for BIOS, and quotas on the root. */
import { run, type Build } from '../package/tools.ts';
import { installBootCode, type Partition } from './boot-code.ts';

const sectorBytes = 512;
const espType = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
const partitionNames = ['bios', 'esp', 'bulkhead'] as const;

interface Table {
  readonly partitiontable: { readonly partitions: readonly (Partition & { name?: string })[] };
}

/** Finishes the disk; `directory` has GRUB's `boot.img` and `core.img`. */
export async function finishDisk(
  build: Pick<Build, 'signal' | 'epoch'>,
  disk: string,
  directory: string,
): Promise<void> {
  const { partitiontable } = JSON.parse(await run(build, 'sfdisk', ['--json', disk])) as Table;
  const [bios, esp, root] = partitionNames.map((name) =>
    partitiontable.partitions.findIndex((each) => each.name === name),
  ) as [number, number, number];
  if (Math.min(bios, esp, root) < 0)
    throw new Error(`"${disk}" must have the partitions ${partitionNames.join(', ')}`);
  await run(build, 'sfdisk', ['--quiet', '--part-type', disk, `${esp + 1}`, espType]);
  installBootCode(disk, directory, partitiontable.partitions[bios]!);
  const rootAt = partitiontable.partitions[root]!.start * sectorBytes;
  // The kernel refuses quotas that mke2fs made together with the files.
  await run(build, 'tune2fs', ['-O', 'quota', '-Q', 'usrquota', `${disk}?offset=${rootAt}`]);
}
