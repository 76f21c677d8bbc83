/**
 * dkms.conf, which lists the modules that a DKMS source builds. It is a shell script, but never run
 * here. Only assignments of plain text are read, in which the package's own name and version may
 * occur as variables.
 *
 *   PACKAGE_NAME="jool"
 *   BUILT_MODULE_NAME[0]="jool_common"
 *   BUILT_MODULE_LOCATION[0]="src/mod/common/"
 *
 * Source: dkms(8).
 */
export interface DkmsConf {
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly modules: readonly DkmsModule[];
}

interface DkmsModule {
  /** The name without `.ko`. */
  readonly name: string;
  /** The directory inside the source, without slashes at its ends; empty for the top. */
  readonly location: string;
}

const maxCharacters = 256 * 1024;
const maxModules = 1000;

export function readDkmsConf(text: string): DkmsConf {
  const values = new Map<string, string>();
  const assignment =
    /^[ \t]*([A-Z_]+)(?:\[(\d{1,3})\])?=("(?:[^"\\]|\\[\s\S])*"|'[^']*'|[^\s;#"']*)[ \t]*(?=[;#\r\n]|$)/gm;
  for (const [, name = '', index = '0', raw = ''] of text
    .slice(0, maxCharacters)
    .matchAll(assignment)) {
    const value = plainValue(raw, values);
    // A value that cannot be read must not leave an older value in place.
    if (value === undefined) values.delete(`${name}[${Number(index)}]`);
    else values.set(`${name}[${Number(index)}]`, value);
  }
  const name = values.get('PACKAGE_NAME[0]');
  return { name, version: values.get('PACKAGE_VERSION[0]'), modules: modulesOf(values, name) };
}

function modulesOf(values: ReadonlyMap<string, string>, name: string | undefined) {
  const modules: DkmsModule[] = [];
  for (let index = 0; index < maxModules; index++) {
    // dkms takes the package's name where a source builds one module and does not name it.
    const built = values.get(`BUILT_MODULE_NAME[${index}]`) ?? (index === 0 ? name : undefined);
    if (built === undefined || !/^[\w.+-]{1,255}$/.test(built)) continue;
    const location = values.get(`BUILT_MODULE_LOCATION[${index}]`) ?? '';
    modules.push({ name: built, location: location.replace(/^(\.?\/)+|\/+$/g, '') });
  }
  return modules;
}

/** Returns the plain value; undefined when a shell would have to work it out. */
function plainValue(raw: string, values: ReadonlyMap<string, string>): string | undefined {
  if (raw.startsWith("'")) return raw.slice(1, -1);
  const text = raw.startsWith('"') ? raw.slice(1, -1) : raw;
  const filled = text.replace(
    /\$\{?(PACKAGE_NAME|PACKAGE_VERSION)\b\}?/g,
    (whole, name: string) => values.get(`${name}[0]`) ?? whole,
  );
  return /[$`\\]/.test(filled) || filled.length > 4096 ? undefined : filled;
}
