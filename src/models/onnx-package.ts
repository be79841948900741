/**
 * `onnxruntime-node`, which users install who want it: what we use of it, and how it is loaded. It never
 * comes with this package, since its installer fetches from a server of its own (ADR 17).
 */

/** A package that users install beside this one. */
export const ONNX_PACKAGE = 'onnxruntime-node';

/** What an error says about installing it. */
export const ONNX_INSTALL_HINT: string =
  `Where the installer of ${ONNX_PACKAGE} cannot reach its server, set ONNXRUNTIME_NODE_INSTALL=skip before; ` +
  'what it fetches is not needed.';

/** A model that is ready to run: tensors by name in, tensors by name out. */
export interface OnnxSession {
  run(feeds: Record<string, object>): Promise<Record<string, { readonly data: unknown } | undefined>>;
}

/** What we use of `onnxruntime-node`. */
export interface OnnxPackage {
  readonly Tensor: new (type: 'int64', data: BigInt64Array, sizes: number[]) => object;
  readonly InferenceSession: {
    /** Takes a file's path or a file's bytes. */
    create(model: string | Uint8Array, options?: object): Promise<OnnxSession>;
  };
}

/** Imports the installed package. Errors: whatever Node and the package say. */
export async function importOnnx(): Promise<OnnxPackage> {
  // Not a literal, so that neither compilers nor bundlers ask for what may not be there.
  const name: string = ONNX_PACKAGE;
  const imported = (await import(name)) as OnnxPackage & { readonly default?: OnnxPackage };
  return imported.InferenceSession === undefined ? imported.default! : imported;
}
