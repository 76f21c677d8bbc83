/** The files of the examples in docs/modules-library.md. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildModule, sampleModinfo } from './core/elf-builder.ts';

const release = '6.12.118';

/** Writes a small kernel, and a module that it does not know, as in docs/modules-library.md. */
export function putLibraryFiles(directory: string): void {
  const put = (path: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  };
  const headers = `kernel/usr/src/linux-headers-${release}`;
  const exported = ['module_layout', 'printk'].map(
    (name) => `0x00000001\t${name}\tvmlinux\tEXPORT_SYMBOL\t\n`,
  );
  put(`${headers}/Module.symvers`, exported.join(''));
  put(`${headers}/include/config/kernel.release`, `${release}\n`);
  put(`kernel/boot/config-${release}`, 'CONFIG_MODVERSIONS=y\nCONFIG_MODULE_SIG=y\n');
  const built = { layoutCrc: 1, imports: [{ name: 'printk', crc: 1 }] };
  const own = buildModule({ ...built, name: 'own' });
  put(`kernel/lib/modules/${release}/kernel/own.ko`, own);
  const modinfo = sampleModinfo('driver').filter((each) => each !== 'intree=Y');
  put('driver.ko', buildModule({ ...built, name: 'driver', modinfo }));
}
