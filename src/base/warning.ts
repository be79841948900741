/**
 * The only place that warns: of what is no error, and would be a surprise all the same. Node prints such a
 * warning once it has been given, with its code, and `--disable-warning=CODE` silences it.
 */

/** Warns where there is a process to warn; `code` begins with `TESSERA_`. */
export function warn(code: string, message: string): void {
  const { process } = globalThis as {
    process?: { emitWarning?: (message: string, options: { type: string; code: string }) => void };
  };
  process?.emitWarning?.(message, { type: 'TesseraWarning', code });
}
