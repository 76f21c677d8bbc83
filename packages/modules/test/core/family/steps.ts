/** How cases are written down. */
import { setModinfoEntries, type Edit } from '../../../../../testing/oracle/edits.ts';
import type { Case, OracleStep } from '../../../../../testing/oracle/cases.ts';

/** A module of Debian's kernel that needs no hardware, signed by the kernel's build. */
export const signedBase = 'nls_cp437';

export const loads = (taints: string) => ({ loads: taints });
export const refused = (errno: string) => ({ refused: errno });

type Edits = readonly (Edit | readonly Edit[])[];
const loading =
  (how: 'load' | 'copy' | 'insmod') =>
  (base: string, edits: Edits = [], flags = 0): OracleStep => ({
    do: how,
    base: `fam_${base}`,
    edits: edits.flat(),
    flags,
  });
export const load = loading('load');
export const copy = loading('copy');
export const insmod = loading('insmod');
export const loadSigned = (edits: Edits = [], flags = 0): OracleStep => ({
  do: 'load',
  base: signedBase,
  edits: edits.flat(),
  flags,
});
export const unload = (name: string): OracleStep => ({ do: 'unload', name });
export const ignoreVersions = 1;
export const ignoreVermagic = 2;

/** The offset of a byte of code in any module. */
export const codeByte = 0x48;
export const proprietary = setModinfoEntries('license', 'Proprietary');
export const provider = load('provider');
export const proprietaryProvider = load('provider', [proprietary]);

export const make = (
  name: string,
  expect: Case['expect'],
  ...steps: readonly OracleStep[]
): Case => ({
  name,
  expect,
  steps,
});
