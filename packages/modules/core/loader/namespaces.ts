/** Namespaces of exported symbols, and the modules that may use them. */

const modulePrefix = 'module:';

/**
 * Whether no module may name this namespace in `import_ns`: such namespaces are granted by name.
 */
export const isModuleNamespace = (namespace: string): boolean => namespace.startsWith(modulePrefix);

/**
 * Whether `module:a,b-*` names a module; only a `*` at the end of a name is a wildcard, and `-` is
 * `_`.
 * Source: kernel/module/main.c, `verify_module_namespace`.
 */
export function namespaceNames(namespace: string, structName: string): boolean {
  if (!isModuleNamespace(namespace)) return false;
  const name = structName.replaceAll('-', '_');
  return namespace
    .slice(modulePrefix.length)
    .replaceAll('-', '_')
    .split(',')
    .some((each) => (each.endsWith('*') ? name.startsWith(each.slice(0, -1)) : name === each));
}
