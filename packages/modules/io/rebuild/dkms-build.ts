/**
 * How DKMS builds: dkms.conf is a shell script that names patches, a script to run first, and the
 * command that builds. It runs only in the jail, like the makefile it leads to.
 */
import { dkmsConfIn } from '../source/dkms.ts';
import type { SandboxMount } from './sandbox-command.ts';
import type { KernelBuild } from '../kernel/kernel-build.ts';

/** Returns the links by which makefiles find the headers of a release. */
export function kernelMounts({ release, headers, mounts }: KernelBuild): readonly SandboxMount[] {
  const directory = `/usr/lib/modules/${release}`;
  const source = mounts.find(({ to }) => to.endsWith('-common'))?.to ?? headers;
  return [
    { from: undefined, to: '/usr/lib/modules' },
    { link: headers, to: `${directory}/build` },
    { link: source, to: `${directory}/source` },
  ];
}

/** The directory where dkms builds a source, and the names under which dkms.conf may expect it. */
export interface DkmsPlace {
  readonly name: string;
  readonly version: string;
  /** /var/lib/dkms/NAME/VERSION/build. */
  readonly directory: string;
}

/** Returns where dkms builds the source; undefined when it has no dkms.conf at its top. */
export function dkmsPlaceOf(source: string): DkmsPlace | undefined {
  const conf = dkmsConfIn(source);
  if (conf === undefined) return undefined;
  const plain = (text: string | undefined, otherwise: string) =>
    text !== undefined && /^\w[\w.+~-]{0,100}$/.test(text) ? text : otherwise;
  const [name, version] = [plain(conf.name, 'module'), plain(conf.version, '0')];
  return { name, version, directory: `${dkmsTree}/${name}/${version}/build` };
}

const dkmsTree = '/var/lib/dkms';

/**
 * Returns the mounts: /usr/src/NAME-VERSION is the directory that is built in, since dkms copies it
 * there.
 */
export const sourceMounts = ({ name, version, directory }: DkmsPlace): readonly SandboxMount[] => [
  { link: directory, to: `/usr/src/${name}-${version}` },
];

interface DkmsCommand {
  readonly place: DkmsPlace;
  readonly build: KernelBuild;
  /** The module's file name. */
  readonly module: string;
  readonly jobs: number;
  /** Arguments `NAME=VALUE`, which take precedence over makefiles and dkms.conf. */
  readonly variables: readonly string[];
}

/**
 * Returns a command for the jail: it builds the archive from standard input and writes the module
 * to descriptor 3.
 */
export function dkmsCommand(command: DkmsCommand): readonly string[] {
  const { place, build, module, jobs, variables } = command;
  const flags = variables.map((each) => each.replaceAll(/[\\\s$]/g, String.raw`\$&`)).join(' ');
  const values = [build.headers, build.release, place.name, place.version, module, String(jobs)];
  return ['bash', '-c', script, 'bash', ...values, ` -- ${flags}`];
}

/**
 * The steps of dkms(8) 3 for a kernel. It reads dkms.conf with the variables that it may use,
 * applies patches that fit the release, runs PRE_BUILD, then the last MAKE that fits. Imports from
 * modules built elsewhere do not affect the comparison of code, so their absence must not fail the
 * build.
 */
const script = `
own_module=$5 own_jobs=$6
kernel_source_dir=$1 kernelver=$2 module=$3 module_version=$4
export MAKEFLAGS=$7
arch=$(uname -m) dkms_tree=${dkmsTree} source_tree=/usr/src
own_build=$PWD
tar -xf - --no-same-owner --no-same-permissions --touch 2>/dev/null
. ./dkms.conf >/dev/null </dev/null

own_fail() {
  echo "error: $1"
  exit 1
}
# Of the array $1 the element $2, without what an editor of another system left.
own_value() {
  local -n own_array=$1
  printf '%s' "\${own_array[$2]%$'\\r'}"
}
own_plain() {
  printf '%s' "\${1//-/_}"
}
own_make() {
  (eval "$own_command") </dev/null >/tmp/make.log 2>&1
  local own_status=$?
  cat /tmp/make.log
  return $own_status
}

for own_at in "\${!PATCH[@]}"; do
  own_match=$(own_value PATCH_MATCH "$own_at")
  [[ -z $own_match || $kernelver =~ $own_match ]] || continue
  own_patch=$(own_value PATCH "$own_at")
  patch -p1 <"patches/$own_patch" || own_fail "the patch $own_patch of dkms.conf cannot be applied"
done

own_before=$(own_value PRE_BUILD 0)
if [[ -n $own_before && -x \${own_before%% *} ]]; then
  (eval "$own_build/$own_before") </dev/null || own_fail "PRE_BUILD of dkms.conf failed"
fi

own_command=
[[ -n $(own_value MAKE_MATCH 0) ]] || own_command=$(own_value MAKE 0)
for own_at in "\${!MAKE[@]}"; do
  own_match=$(own_value MAKE_MATCH "$own_at")
  [[ -n $own_match && $kernelver =~ $own_match ]] && own_command=$(own_value MAKE "$own_at")
done
[[ -n $own_command ]] || own_command="make -C $kernel_source_dir M=$own_build"
own_command="\${own_command/#make/make -j$own_jobs KERNELRELEASE=$kernelver}"
if ! own_make; then
  grep -q ' undefined!' /tmp/make.log || exit 1
  export KBUILD_MODPOST_WARN=1
  own_make || exit 1
fi

cd "$own_build"
own_file=
for own_at in "\${!BUILT_MODULE_NAME[@]}"; do
  own_built=$(own_value BUILT_MODULE_NAME "$own_at")
  own_called=$(own_value DEST_MODULE_NAME "$own_at")
  own_directory=$(own_value BUILT_MODULE_LOCATION "$own_at")
  [[ $(own_plain "\${own_called:-$own_built}") == "$(own_plain "$own_module")" ]] || continue
  own_file=\${own_directory:+\${own_directory%/}/}$own_built.ko
done
[[ -f $own_file ]] || own_file=$(find . -type f -name "\${own_module//[-_]/[-_]}.ko" | LC_ALL=C sort | head -n 1)
[[ -n $own_file ]] || own_fail "dkms.conf does not build $own_module.ko"
strip --strip-debug -o /tmp/stripped.ko "$own_file" || exit 1
exec cat /tmp/stripped.ko >&3
`;
